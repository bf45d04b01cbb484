// How completion is called.
import type { Command } from "../command.ts";
import { shells } from "./shells.ts";

export const completion: Command = {
  name: "completion",
  usage: "bash|zsh|fish",
  summary: "prints a script that completes commands and options in a shell",
  about: `Prints a script for the shell that is named. With it, the tab key completes the commands, options and files of authctl.

  bash   source <(authctl completion bash)                   in ~/.bashrc
  zsh    source <(authctl completion zsh)                    in ~/.zshrc, after compinit
  fish   authctl completion fish > ~/.config/fish/completions/authctl.fish`,
  arguments: [["<SHELL>", "bash, zsh or fish"]],
  choices: shells,
  load: async () => (await import("./completion.ts")).completion,
};
