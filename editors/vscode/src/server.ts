/** The language client: started, watched, started again with back-off when the server dies. */
import * as vscode from "vscode";
import {
  CloseAction,
  ErrorAction,
  LanguageClient,
  RevealOutputChannelOn,
  State,
  type LanguageClientOptions,
} from "vscode-languageclient/node";
import { SECTION, SELECTOR, isDisabled, serverSettings } from "./config";
import { answerDefinitions } from "./definitions";
import { canGrow, type Grown, type Growth } from "./growth";

const MOST_RESTARTS = 5;
const CALM_MS = 60_000;

export interface ServerStatus {
  busy: boolean;
  message: string;
  kind: "Normal" | "Warning" | "Error" | "Inactive";
  /** How far loading is. */
  percentage?: number;
}

export type Intercept = (command: string, args: unknown[]) => Thenable<unknown> | undefined;

/**
 * A client for a program. `told` hears of each status; `intercept` may take over commands of the server; a server that
 * ends is started again while `isCurrent`. `growth` draws what is suggested, as far as it grows.
 */
export function createClient(
  program: string,
  log: vscode.LogOutputChannel,
  told: (status: ServerStatus) => void,
  intercept: Intercept,
  growth: Growth,
  isCurrent: () => boolean,
): LanguageClient {
  let deaths = 0;
  let diedAt = 0;
  const options: LanguageClientOptions = {
    documentSelector: SELECTOR,
    outputChannel: log,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationOptions: () => ({
      ...serverSettings(),
      asksInstruction: true,
      findsDefinitions: true,
      growsSuggestions: canGrow(),
    }),
    initializationFailedHandler: () => false,
    synchronize: { configurationSection: SECTION },
    middleware: {
      workspace: {
        configuration: (params) => params.items.map((item) => (item.section === SECTION ? serverSettings() : null)),
      },
      provideCompletionItem: (document, position, context, token, next) =>
        isDisabled(document) ? undefined : next(document, position, context, token),
      provideInlineCompletionItems: (document, position, context, token, next) =>
        isDisabled(document) ? undefined : growth.remember(document, position, context, token, next),
      provideCodeActions: (document, range, context, token, next) =>
        vscode.workspace.isTrusted ? next(document, range, context, token) : [],
      executeCommand: (command, args, next) => intercept(command, args) ?? next(command, args),
    },
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed: async () => {
        if (!isCurrent()) {
          return { action: CloseAction.DoNotRestart, handled: true };
        }
        deaths = Date.now() - diedAt > CALM_MS ? 1 : deaths + 1;
        diedAt = Date.now();
        if (deaths > MOST_RESTARTS) {
          told({ busy: false, kind: "Error", message: `The server ended ${deaths} times in a row; see the log.` });
          return { action: CloseAction.DoNotRestart, handled: true };
        }
        told({ busy: true, kind: "Warning", message: "The server ended; it is started again." });
        await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** (deaths - 1)));
        return { action: CloseAction.Restart, handled: true };
      },
    },
  };
  // What may not be a workspace's has the scope "machine", so VS Code passes on none of a workspace.
  const env = { ...process.env, CODEGEMMA_TRUST_SETTINGS: "1" };
  const server = { command: program, args: ["serve"], options: { env } };
  const client = new LanguageClient(SECTION, "CodeGemma", { run: server, debug: server }, options);
  client.onNotification("didChangeStatus", told);
  client.onNotification("codegemma/suggestionGrew", (grown: Grown) => growth.grew(grown));
  answerDefinitions(client);
  client.onDidChangeState(({ newState }) => {
    if (newState === State.Starting) {
      told({ busy: true, kind: "Inactive", message: "Starting" });
    }
  });
  return client;
}
