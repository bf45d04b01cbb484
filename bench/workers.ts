// The workers of a bench's target: one at first; rows stop it, give it another environment, add others or kill one.
import { type DevFiles, type DevProcess, makeProcess } from "../src/processes/dev/fleet.ts";
import type { Ports } from "../stack/ports.ts";

export interface Workers {
  /** As many as so run when it resolves. */
  count(wanted: number): Promise<void>;
  /** All are stopped, and one runs with these variables beside the usual ones. */
  replace(env: Record<string, string>): Promise<void>;
  /** SIGKILL to the one that was started last. */
  killLast(): Promise<void>;
}

/** @param place of the stack @param more Node's own variables */
export function makeWorkers(place: DevFiles, ports: Ports, more: Record<string, string>): Workers {
  const running: DevProcess[] = [];
  let env: Record<string, string> = {};
  const start = async (): Promise<void> => {
    const number = running.length + 1;
    const httpPort = await ports.choose(`worker-${number}`);
    const role = makeProcess(
      { processName: "worker", number, httpPort, grpcPort: 0 },
      { ...place, env: { ...place.env, ...more, ...env } },
    );
    await role.start();
    running.push(role);
  };
  const count = async (wanted: number): Promise<void> => {
    while (running.length > wanted) await running.pop()!.stop();
    while (running.length < wanted) await start();
  };
  return {
    count,
    async replace(given) {
      await count(0);
      env = given;
      await count(1);
    },
    killLast: () => running.pop()!.kill(),
  };
}
