/** Where the server is: named by the user, in a checkout, in the path, or in an environment of our own. */
import { execFile } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { promisify } from "node:util";
import * as vscode from "vscode";
import { setting } from "./config";
import { messageOf } from "./errors";

const run = promisify(execFile);
const PROGRAM = process.platform === "win32" ? "codegemma-lsp.exe" : "codegemma-lsp";

/** llama.cpp alone, without its tools, examples and multimodal parts: some minutes less where it has to be built. */
const LEAN = {
  CMAKE_ARGS: "-DLLAVA_BUILD=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF",
};

/** What pip complains of last, else the error's first line. */
function reasonOf(error: unknown): string {
  const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
  const complaint = `${stdout}\n${stderr}`.split("\n").filter((line) => line.startsWith("ERROR: ")).at(-1);
  return complaint?.slice("ERROR: ".length) ?? messageOf(error).split("\n")[0] ?? "";
}

function inEnvironment(folder: string, program: string): string {
  return path.join(folder, process.platform === "win32" ? "Scripts" : "bin", program);
}

function isExecutable(file: string): boolean {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The server's program, or undefined where none is installed. */
export function findServer(context: vscode.ExtensionContext): string | undefined {
  const named = setting("serverPath", "");
  if (named) {
    return named;
  }
  const checkout = path.resolve(context.extensionPath, "..", "..", ".venv");
  const own = path.join(context.globalStorageUri.fsPath, "server");
  const inPath = (process.env.PATH ?? "").split(path.delimiter).filter(Boolean);
  const candidates = [
    process.env.CODEGEMMA_LSP ?? "",
    inEnvironment(checkout, PROGRAM),
    inEnvironment(own, PROGRAM),
    ...inPath.map((folder) => path.join(folder, PROGRAM)),
  ];
  return candidates.find((candidate) => candidate && isExecutable(candidate));
}

async function findPython(cwd: string): Promise<string> {
  for (const candidate of ["python3", "python", "python3.13", "python3.12", "python3.11"]) {
    try {
      await run(candidate, ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"], { cwd });
      return candidate;
    } catch {
      // The next one, then.
    }
  }
  throw new Error("Python 3.11 or later with its venv module is missing; install it, or set codegemma.serverPath.");
}

/** What the server is to be installed from, "" where nothing is set. */
export function installSource(): string {
  return setting("installSource", "");
}

/** Installs the server into the extension's storage. Throws an Error with one sentence for the user. */
export async function installServer(context: vscode.ExtensionContext, log: vscode.OutputChannel): Promise<string> {
  const storage = context.globalStorageUri.fsPath;
  const folder = path.join(storage, "server");
  // Not in the workspace, whose files Python would take for its own modules.
  const options = { maxBuffer: 64 * 1024 * 1024, cwd: storage, env: { ...LEAN, ...process.env } };
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: "CodeGemma: installing the server", cancellable: false },
    async (progress) => {
      const step = async (message: string, program: string, args: string[]): Promise<void> => {
        progress.report({ message });
        log.appendLine(`${program} ${args.join(" ")}`);
        const { stdout, stderr } = await run(program, args, options);
        log.append(stdout + stderr);
      };
      try {
        await fs.promises.mkdir(storage, { recursive: true });
        const python = await findPython(storage);
        await step("environment", python, ["-m", "venv", "--clear", folder]);
        const pip = ["-m", "pip", "install", installSource()];
        await step("llama.cpp and the rest, some minutes", inEnvironment(folder, "python"), pip);
        return inEnvironment(folder, PROGRAM);
      } catch (error) {
        log.appendLine(String(error));
        throw new Error(`The server could not be installed (${reasonOf(error)}); see the log, or set codegemma.serverPath.`);
      }
    },
  );
}
