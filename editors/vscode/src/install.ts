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

/** How long an installation may take before another window takes it for broken off. */
const MOST_MS = 30 * 60_000;

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
  const inPath = (process.env.PATH ?? "").split(path.delimiter).filter(Boolean);
  const candidates = [
    process.env.CODEGEMMA_LSP ?? "",
    inEnvironment(checkout, PROGRAM),
    inEnvironment(environmentOf(context), PROGRAM),
    ...inPath.map((folder) => path.join(folder, PROGRAM)),
  ];
  return candidates.find((candidate) => candidate && isExecutable(candidate));
}

async function findPython(cwd: string): Promise<string | undefined> {
  for (const candidate of ["python3", "python", "python3.13", "python3.12", "python3.11"]) {
    try {
      await run(candidate, ["-c", "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"], { cwd });
      return candidate;
    } catch {
      // The next one, then.
    }
  }
  return undefined;
}

/** Whether llama.cpp can be built. On Windows a compiler is seldom in the path, and pip says if there is none. */
function hasCompiler(): boolean {
  const folders = (process.env.PATH ?? "").split(path.delimiter).filter(Boolean);
  const names = [process.env.CXX ?? "", "c++", "g++", "clang++"].filter(Boolean);
  const there = (name: string): boolean => path.isAbsolute(name) || folders.some((folder) => isExecutable(path.join(folder, name)));
  return process.platform === "win32" || names.some(there);
}

/** What the machine lacks, all at once, in words that say what to install; "" if nothing. */
function lacking(python: string | undefined): string {
  const missing = [
    ...(python ? [] : ["Python 3.11 or later with its venv module (Debian: python3 python3-venv)"]),
    ...(hasCompiler() ? [] : ["a C++ compiler (Debian: g++, macOS: xcode-select --install)"]),
  ];
  return missing.length ? `install ${missing.join(" and ")} first` : "";
}

function versionOf(context: vscode.ExtensionContext): string {
  return String((context.extension.packageJSON as { version: string }).version);
}

/** The environment of this version's server: an extension that was updated installs a server of its own version. */
function environmentOf(context: vscode.ExtensionContext): string {
  return path.join(context.globalStorageUri.fsPath, `server-${versionOf(context)}`);
}

/** What pip is given: what the user named, the wheel that the extension carries, or the same version from PyPI. */
function installSource(context: vscode.ExtensionContext): string {
  const folder = path.join(context.extensionPath, "dist");
  const carried = fs.existsSync(folder) ? fs.readdirSync(folder).find((name) => name.endsWith(".whl")) : undefined;
  const own = carried ? path.join(folder, carried) : `codegemma-lsp==${versionOf(context)}`;
  return setting("installSource", "") || own;
}

/** Runs `work` in one window at a time. Another one waits, for at most half an hour if the first one is gone. */
async function alone<T>(lock: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      await fs.promises.mkdir(lock);
      break;
    } catch {
      const began = (await fs.promises.stat(lock).catch(() => undefined))?.mtimeMs ?? 0;
      if (Date.now() - began > MOST_MS) {
        await fs.promises.rm(lock, { recursive: true, force: true });
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
  try {
    return await work();
  } finally {
    await fs.promises.rm(lock, { recursive: true, force: true });
  }
}

/** Removes the servers of other versions; one that another window runs may stay on some systems. */
async function removeOthers(context: vscode.ExtensionContext): Promise<void> {
  const storage = context.globalStorageUri.fsPath;
  const others = (await fs.promises.readdir(storage)).filter((name) => /^server(-|$)/.test(name) && !name.endsWith(".lock"));
  for (const name of others.filter((one) => path.join(storage, one) !== environmentOf(context))) {
    await fs.promises.rm(path.join(storage, name), { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Installs the server into the extension's storage. Throws an Error with one sentence for the user. */
export async function installServer(context: vscode.ExtensionContext, log: vscode.OutputChannel): Promise<string> {
  const storage = context.globalStorageUri.fsPath;
  const folder = environmentOf(context);
  const program = inEnvironment(folder, PROGRAM);
  // Not in the workspace, whose files Python would take for its own modules.
  const options = { maxBuffer: 64 * 1024 * 1024, cwd: storage, env: { ...LEAN, ...process.env } };
  return vscode.window.withProgress(
    { location: vscode.ProgressLocation.Notification, title: "CodeGemma: installing the server", cancellable: false },
    async (progress) => {
      const step = async (message: string, name: string, args: string[]): Promise<void> => {
        progress.report({ message });
        log.appendLine(`${name} ${args.join(" ")}`);
        const { stdout, stderr } = await run(name, args, options);
        log.append(stdout + stderr);
      };
      try {
        await fs.promises.mkdir(storage, { recursive: true });
        const python = await findPython(storage);
        const missing = lacking(python);
        if (!python || missing) {
          throw new Error(missing);
        }
        return await alone(`${folder}.lock`, async () => {
          if (!isExecutable(program)) {
            await step("environment", python, ["-m", "venv", "--clear", folder]);
            const pip = ["-m", "pip", "install", installSource(context)];
            await step("llama.cpp and the rest, some minutes", inEnvironment(folder, "python"), pip);
            await removeOthers(context);
          }
          return program;
        });
      } catch (error) {
        log.appendLine(String(error));
        throw new Error(`The server could not be installed (${reasonOf(error)}); see the log, or set codegemma.serverPath.`);
      }
    },
  );
}
