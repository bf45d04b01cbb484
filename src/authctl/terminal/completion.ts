// authctl completion: scripts with which bash, zsh and fish complete commands, options and files, from the definitions.
// A script holds everything that it offers: it starts no process, and evaluates nothing of what stands on the line.
// Rejected: @bomb.sh/tab 0.0.22, whose bash script passes the line to `eval`, needs the package bash-completion, and
// declares readonly variables, so that it cannot be read twice; it completes no files either.
import type { Command, CommandResult, Invocation, OptionDefinition } from "../command.ts";
import { UsageFault } from "../faults.ts";
import { groups } from "../groups.ts";
import { shells } from "./shells.ts";

type Commands = readonly Command[];

const scripts: Record<(typeof shells)[number], (commands: Commands) => string> = { bash, zsh, fish };

export async function completion(call: Invocation): Promise<CommandResult> {
  const shell = shells.find((each) => each === call.words[0]);
  if (shell === undefined)
    throw new UsageFault(`There are scripts for ${shells.join(", ")}, not for ${call.words[0]}.`);
  const script = scripts[shell](call.commands);
  return { document: { shell, script }, lines: script.split("\n") };
}

const everywhere: Record<string, OptionDefinition> = {
  json: { text: "print one JSON document" },
  help: { text: "how a command is called" },
};

const allOptions = ({ options = {} }: Command): [string, OptionDefinition][] =>
  Object.entries({ ...options, ...everywhere });

const isFile = ({ value }: OptionDefinition): boolean => value === "FILE";

const takesFile = (command: Command): boolean =>
  (command.arguments ?? []).some(([syntax]) => syntax.replace(/\W/g, "") === "FILE");

/** What may follow these words: members of a group, and of a command its choices and options. */
function nextWords(commands: Commands, command: Command): string[] {
  const options = allOptions(command).map(([name]) => `--${name}`);
  const members = commands.flatMap(({ name }) =>
    name.startsWith(`${command.name} `) ? [name.slice(command.name.length + 1)] : [],
  );
  return [...members, ...(command.choices ?? []), ...options];
}

const groupMembers = (commands: Commands, group: string): Command[] =>
  commands.filter(({ name }) => name.startsWith(`${group} `));

const firstWords = (commands: Commands): string[] => [...new Set(commands.map(({ name }) => name.split(" ")[0]!))];

/**
 * Sets `choices` and `files` by `called` (the words before the cursor, options left out) and `previous`: the same in
 * bash and zsh.
 */
function cases(commands: Commands): string {
  const longestFirst = [...commands].sort((a, b) => b.name.split(" ").length - a.name.split(" ").length);
  const ofCommands = longestFirst.map((command) => {
    const values = allOptions(command).flatMap(([name, option]) => {
      if (option.value === undefined) return [];
      const set = isFile(option) ? "choices=; files=1" : `choices="${option.choices?.join(" ") ?? ""}"; files=`;
      return [`        --${name}) ${set} ;;`];
    });
    return [
      `    "${command.name} "*)`,
      `      choices="${nextWords(commands, command).join(" ")}"`,
      ...(takesFile(command) ? ["      files=1"] : []),
      ...(values.length > 0 ? ["      case $previous in", ...values, "      esac"] : []),
      "      ;;",
    ].join("\n");
  });
  const ofGroups = Object.keys(groups).map((group) => {
    const members = groupMembers(commands, group).map(({ name }) => name.slice(group.length + 1));
    return `    "${group} "*) choices="${members.join(" ")} --help" ;;`;
  });
  const first = [...firstWords(commands), "help", "--json", "--help", "--version"];
  return [
    "  case $called in",
    ...ofCommands,
    ...ofGroups,
    `    "" | "help ") choices="${first.join(" ")}" ;;`,
    "  esac",
  ].join("\n");
}

function bash(commands: Commands): string {
  return `# Completes authctl in bash: source <(authctl completion bash)
_authctl() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} called= choices= files= word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    [[ $word == -* ]] || called+="$word "
  done
${cases(commands)}
  mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
  if [[ -n $files && $current != -* ]]; then
    compopt -o filenames
    mapfile -t -O "\${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -F _authctl authctl`;
}

function zsh(commands: Commands): string {
  return `#compdef authctl
# Completes authctl in zsh, after compinit: source <(authctl completion zsh)
_authctl() {
  local current=$words[CURRENT] previous=$words[CURRENT-1] called= choices= files= word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ $word == -* ]] || called+="$word "
  done
${cases(commands)}
  compadd -- \${=choices}
  [[ -n $files && $current != -* ]] && _files
}
compdef _authctl authctl`;
}

function fish(commands: Commands): string {
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, "\\$&")}'`;
  const seen = (...words: string[]): string =>
    words.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
  const line = (condition: string, rest: string): string => `complete -c authctl -n ${quoted(condition)} ${rest}`;
  const first = firstWords(commands).map((word) => {
    const text = groups[word] ?? commands.find(({ name }) => name === word)?.summary ?? "";
    return line("__fish_use_subcommand", `-a ${word} -d ${quoted(text)}`);
  });
  const members = commands.flatMap(({ name, summary }) => {
    const [group = "", member] = name.split(" ");
    if (member === undefined) return [];
    const others = groupMembers(commands, group).map((each) => each.name.slice(group.length + 1));
    const condition = `${seen(group)}; and not __fish_seen_subcommand_from ${others.join(" ")}`;
    return [line(condition, `-a ${member} -d ${quoted(summary)}`)];
  });
  const options = commands.flatMap((command) => {
    const condition = seen(...command.name.split(" "));
    const words = command.choices === undefined ? [] : [line(condition, `-a ${quoted(command.choices.join(" "))}`)];
    const file = takesFile(command) ? [line(condition, "-F")] : [];
    return [
      ...words,
      ...file,
      ...allOptions(command).map(([name, option]) => {
        const takes = option.value === undefined ? "" : isFile(option) ? " -r -F" : " -x";
        const choices = option.choices === undefined ? "" : ` -a ${quoted(option.choices.join(" "))}`;
        return line(condition, `-l ${name}${takes}${choices} -d ${quoted(option.text)}`);
      }),
    ];
  });
  return [
    "# Completes authctl in fish: authctl completion fish > ~/.config/fish/completions/authctl.fish",
    "complete -c authctl -f",
    ...[...first, ...members, ...options],
  ].join("\n");
}
