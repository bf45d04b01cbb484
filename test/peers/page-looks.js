// Runs within a page that Chromium shows (mails.test.ts): what of its text and buttons cannot be read or touched. An
// expression, whose value is { faults, buttons, links }.
(() => {
  const width = window.innerWidth;
  const faults = [];
  const channels = (color) => (/[\d.]+(?:, [\d.]+)*/.exec(color)?.[0] ?? "").split(", ").map(Number);
  const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

  /** WCAG 2.2, relative luminance. */
  const luminance = (color) => {
    const [red, green, blue] = channels(color).map((value) => linear(value / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const isSeeThrough = (color) => channels(color)[3] === 0;
  const canvas = matchMedia("(prefers-color-scheme: dark)").matches ? "18, 18, 18" : "255, 255, 255";
  const behind = (element) => {
    if (element === null) return canvas;
    const { backgroundColor } = getComputedStyle(element);
    return isSeeThrough(backgroundColor) ? behind(element.parentElement) : backgroundColor;
  };
  const contrast = (element) => {
    const [one, other] = [getComputedStyle(element).color, behind(element)].map(luminance);
    return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  };

  const checkText = (node) => {
    const words = node.textContent.trim();
    const range = document.createRange();
    range.selectNodeContents(node);
    const { left, right, height } = range.getBoundingClientRect();
    if (left < 0 || right > width || height === 0) faults.push(`"${words}" is not within the screen`);
    const size = Number.parseFloat(getComputedStyle(node.parentElement).fontSize);
    if (size < 14) faults.push(`"${words}" is of ${size} px`);
    const ratio = contrast(node.parentElement);
    if (ratio < 4.5) faults.push(`"${words}" has a contrast of ${ratio.toFixed(1)}`);
  };

  const { scrollWidth } = document.documentElement;
  if (scrollWidth > width) faults.push(`is ${scrollWidth} px wide`);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode() !== null) if (walker.currentNode.textContent.trim() !== "") checkText(walker.currentNode);

  const isButton = (link) => !isSeeThrough(getComputedStyle(link.parentElement).backgroundColor);
  const links = [...document.querySelectorAll("a")];
  const buttons = links.filter(isButton);
  for (const button of buttons) {
    const { width: wide, height } = button.getBoundingClientRect();
    if (wide < 44 || height < 44) faults.push(`the button "${button.textContent}" is ${wide} by ${height} px`);
  }
  return {
    faults,
    buttons: buttons.length,
    links: links.filter((link) => !isButton(link)).map((link) => link.textContent),
  };
})();
