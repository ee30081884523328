/** The status bar: loading, ready, busy, off, and what is wrong. */
import * as vscode from "vscode";
import type { ServerStatus } from "./server";
import { setting } from "./config";
import { inOwnWords } from "./errors";

export class StatusBar implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem("codegemma", vscode.StatusBarAlignment.Right, 100);
  private last: ServerStatus = { busy: true, message: "Starting", kind: "Inactive" };
  private where = "";

  constructor() {
    this.item.name = "CodeGemma";
    this.item.command = "codegemma.showMenu";
    this.draw();
    this.item.show();
  }

  show(status: ServerStatus): void {
    this.last = status;
    this.draw();
  }

  /** Takes the server's sentence about where the model runs, and how much memory it holds. */
  showWhere(where: string): void {
    this.where = where;
    this.draw();
  }

  get status(): ServerStatus {
    return this.last;
  }

  draw(): void {
    const { busy, kind, message, percentage } = this.last;
    const off = !setting("enabled", true);
    const icon = off ? "circle-slash" : busy ? "loading~spin" : kind === "Error" ? "error" : kind === "Warning" ? "warning" : "sparkle";
    const loading = percentage === undefined ? "" : ` ${percentage} %`;
    this.item.text = `$(${icon}) CodeGemma${off ? " off" : loading}`;
    const parts = ["**CodeGemma**", off ? "Suggestions are off." : inOwnWords(message), ...(this.where ? [this.where] : [])];
    this.item.tooltip = new vscode.MarkdownString(parts.join("\n\n"));
    this.item.backgroundColor =
      kind === "Error" && !off ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
  }

  dispose(): void {
    this.item.dispose();
  }
}
