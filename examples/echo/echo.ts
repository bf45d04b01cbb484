// Two commands on src/kafka and src/bus alone, with topics, headers and codes of their own: echo.say gives a text back,
// echo.shout the same in capitals. `node examples/echo/echo.ts setup | serve | say TEXT | shout TEXT`; README.md has more.
import { namesFor } from "../../src/bus/names.ts";
import { openPlainApplication } from "../../src/bus/plain-application.ts";
import { AnyRefusal } from "../../src/lib/refusal.ts";
import { makeLogger } from "../../src/runtime/log.ts";

const { KAFKA = "localhost:9092", REGISTRY = "http://localhost:8081/apis/ccompat/v7", PREFIX = "" } = process.env;
const text = [{ name: "text", type: "string" }];

const echo = openPlainApplication({
  kafka: { brokers: KAFKA.split(","), clientId: "echo", prefix: PREFIX },
  registry: REGISTRY,
  protocol: { names: namesFor("echo", "node examples/echo/echo.ts setup"), codes: { DEADLINE_EXCEEDED: "TOO_LATE" } },
  commands: [command("echo.say", (said) => said), command("echo.shout", (said) => said.toUpperCase())],
  log: makeLogger("error", { process: "echo" }),
});

function command(topic: string, change: (text: string) => string) {
  const handle = (request: { text: string }) => {
    if (request.text === "") throw new AnyRefusal("NOTHING_SAID", { message: "Say something." });
    return { text: change(request.text) };
  };
  return { topic, request: text, result: text, handle };
}

const [verb = "", said = ""] = process.argv.slice(2);
if (verb === "setup") await echo.setUp(["terminal"]);
else if (verb === "serve") {
  await echo.serve("echo");
  console.log("ready");
  await new Promise((resolve) => process.once("SIGTERM", resolve).once("SIGINT", resolve));
} else {
  const answer = echo.ask<{ text: string }>("terminal", `echo.${verb}`, { text: said });
  await answer.then(
    ({ text }) => console.log(text),
    ({ code, message }) => console.error(`${code}: ${message}`),
  );
}
await echo.close();
