/** Edits: asked for, previewed as a diff, accepted or discarded. Nothing is changed before it is accepted. */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import type * as lsp from "vscode-languageserver-protocol";
import { messageOf } from "./errors";

export interface Proposal {
  label: string;
  uri: string;
  text: string;
  range: lsp.Range;
  edit: lsp.WorkspaceEdit;
}

export interface EditParams {
  uri: string;
  range: lsp.Range;
  action: string;
  version?: number;
  instruction?: string;
  diagnostics?: string[];
}

const SCHEME = "codegemma-edit";
const PENDING = "codegemma.editPending";

interface Pending {
  proposal: Proposal;
  preview: vscode.Uri;
  version: number | undefined;
}

export class Edits implements vscode.TextDocumentContentProvider, vscode.Disposable {
  private pending: Pending | undefined;
  private readonly texts = new Map<string, string>();
  private readonly disposables: vscode.Disposable[] = [];
  private number = 0;

  constructor(private readonly client: () => LanguageClient | undefined) {
    this.disposables.push(
      vscode.workspace.registerTextDocumentContentProvider(SCHEME, this),
      vscode.workspace.onDidChangeTextDocument((event) => {
        if (event.contentChanges.length && event.document.uri.toString() === this.target()) {
          void this.discard("The text changed, so the edit was discarded.");
        }
      }),
      vscode.window.tabGroups.onDidChangeTabs(({ closed }) => {
        const preview = this.pending?.preview.toString();
        if (closed.some((tab) => tab.input instanceof vscode.TabInputTextDiff && tab.input.modified.toString() === preview)) {
          void this.discard();
        }
      }),
    );
  }

  provideTextDocumentContent(uri: vscode.Uri): string {
    return this.texts.get(uri.toString()) ?? "";
  }

  private target(): string | undefined {
    return this.pending && vscode.Uri.parse(this.pending.proposal.uri).toString();
  }

  /** Asks for an edit of a selection, and previews what comes. */
  async ask(action: string, document: vscode.TextDocument, selection: vscode.Range, instruction = ""): Promise<void> {
    const diagnostics = vscode.languages
      .getDiagnostics(document.uri)
      .filter((found) => action === "fix" && found.range.intersection(selection))
      .map((found) => found.message);
    await this.request({
      uri: document.uri.toString(),
      range: { start: selection.start, end: selection.end },
      version: document.version,
      action,
      instruction,
      diagnostics,
    });
  }

  async request(params: EditParams): Promise<void> {
    await this.propose("codegemma/edit", params, "CodeGemma writes");
  }

  /** Previews what puts a block of code from an answer into the file beside the chat. */
  async apply(code: string): Promise<void> {
    const editor = vscode.window.activeTextEditor;
    if (!editor) {
      void vscode.window.showWarningMessage("CodeGemma: Open the file that the code belongs to.");
      return;
    }
    const { document, selection } = editor;
    const range = { start: selection.start, end: selection.end };
    const params = { uri: document.uri.toString(), range, version: document.version, code };
    await this.propose("codegemma/applyCode", params, "CodeGemma looks for the place");
  }

  private async propose(method: string, params: object, title: string): Promise<void> {
    const client = this.client();
    if (!client) {
      void vscode.window.showWarningMessage("CodeGemma: The server is not running; see the status bar.");
      return;
    }
    await this.discard();
    const progress = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
    const proposal = await vscode.window.withProgress(progress, async (_, token) => {
      try {
        return await client.sendRequest<Proposal>(method, params, token);
      } catch (error) {
        if (!token.isCancellationRequested) {
          void vscode.window.showWarningMessage(`CodeGemma: ${messageOf(error)}`);
        }
        return undefined;
      }
    });
    if (proposal) {
      await this.preview(proposal);
    }
  }

  /** Shows a proposal beside what is there. */
  async preview(proposal: Proposal): Promise<void> {
    await this.discard();
    const uri = vscode.Uri.parse(proposal.uri);
    const creates = (proposal.edit.documentChanges ?? []).some((change) => "kind" in change && change.kind === "create");
    const document = creates ? undefined : await vscode.workspace.openTextDocument(uri);
    if (document && (versionOf(proposal.edit) ?? document.version) !== document.version) {
      void vscode.window.showWarningMessage("CodeGemma: The text changed while the edit was written; ask again.");
      return;
    }
    this.number += 1;
    const preview = uri.with({ scheme: SCHEME, query: String(this.number) });
    this.texts.set(preview.toString(), changed(document, textEdits(proposal.edit)));
    const original = document ? uri : uri.with({ scheme: SCHEME, query: "empty" });
    this.pending = { proposal, preview, version: document?.version };
    await vscode.commands.executeCommand("setContext", PENDING, true);
    await vscode.commands.executeCommand("vscode.diff", original, preview, `${proposal.label} (CodeGemma)`, { preview: true });
  }

  get isPending(): boolean {
    return this.pending !== undefined;
  }

  /** Makes the edit that is previewed, if the document is still the one that it was made for. */
  async accept(): Promise<boolean> {
    const { pending } = this;
    const client = this.client();
    if (!pending || !client) {
      return false;
    }
    const uri = vscode.Uri.parse(pending.proposal.uri);
    const document = vscode.workspace.textDocuments.find((one) => one.uri.toString() === uri.toString());
    if (pending.version !== undefined && document?.version !== pending.version) {
      await this.discard("The text changed, so the edit was not made; ask again.");
      return false;
    }
    this.pending = undefined;
    const edit = await client.protocol2CodeConverter.asWorkspaceEdit(unannotated(pending.proposal.edit));
    const done = await vscode.workspace.applyEdit(edit);
    await this.close(pending);
    if (done) {
      await vscode.window.showTextDocument(uri, { preview: false });
    } else {
      void vscode.window.showWarningMessage("CodeGemma: The edit could not be made; ask again.");
    }
    return done;
  }

  /** Leaves everything as it is. */
  async discard(reason = ""): Promise<void> {
    const { pending } = this;
    if (!pending) {
      return;
    }
    this.pending = undefined;
    await this.close(pending);
    if (reason) {
      void vscode.window.showWarningMessage(`CodeGemma: ${reason}`);
    }
  }

  private async close(pending: Pending): Promise<void> {
    await vscode.commands.executeCommand("setContext", PENDING, false);
    const preview = pending.preview.toString();
    const tabs = vscode.window.tabGroups.all.flatMap((group) => group.tabs);
    const shown = tabs.filter(
      (tab) => tab.input instanceof vscode.TabInputTextDiff && tab.input.modified.toString() === preview,
    );
    if (shown.length) {
      await vscode.window.tabGroups.close(shown);
    }
    this.texts.delete(preview);
  }

  dispose(): void {
    this.disposables.forEach((one) => one.dispose());
  }
}

/** The version of the document that an edit was made for, undefined where it does not say. */
function versionOf(edit: lsp.WorkspaceEdit): number | undefined {
  const change = (edit.documentChanges ?? []).find((one) => "textDocument" in one);
  return change?.textDocument.version ?? undefined;
}

function textEdits(edit: lsp.WorkspaceEdit): lsp.TextEdit[] {
  const changes = (edit.documentChanges ?? []).filter((change) => "textDocument" in change);
  return [...changes.flatMap((change) => change.edits as lsp.TextEdit[]), ...Object.values(edit.changes ?? {}).flat()];
}

/** A document's text after edits that do not overlap. */
function changed(document: vscode.TextDocument | undefined, edits: lsp.TextEdit[]): string {
  let text = document?.getText() ?? "";
  const offset = (at: lsp.Position): number => document?.offsetAt(new vscode.Position(at.line, at.character)) ?? 0;
  for (const edit of [...edits].reverse()) {
    text = text.slice(0, offset(edit.range.start)) + edit.newText + text.slice(offset(edit.range.end));
  }
  return text;
}

/** The edit without what asks to be confirmed: it has been. */
function unannotated(edit: lsp.WorkspaceEdit): lsp.WorkspaceEdit {
  const bare = structuredClone(edit);
  delete bare.changeAnnotations;
  for (const change of bare.documentChanges ?? []) {
    if ("textDocument" in change) {
      change.edits = change.edits.map((one) => ({ range: one.range, newText: (one as lsp.TextEdit).newText }));
    } else {
      delete change.annotationId;
    }
  }
  return bare;
}
