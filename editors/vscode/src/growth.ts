/** Ghost text that grows in place while the model writes it. */
import * as vscode from "vscode";
import { SELECTOR } from "./config";

/** The parameters of `codegemma/suggestionGrew`: `text` is the whole text of the item, as it is now. */
export interface Grown {
  textDocument: { uri: string; version: number };
  itemId: string;
  text: string;
}

/** The context key of the binding of Escape: something was suggested that may be on the screen. */
const HAS_SUGGESTED = "codegemma.hasSuggested";
/** The first version in which a suggestion may be asked for again as if VS Code did so by itself. */
const SINCE = [1, 110] as const;

/** Whether this VS Code can draw more of a suggestion in place. A screen reader would tell of each piece. */
export function canGrow(): boolean {
  const [major = 0, minor = 0] = vscode.version.split(".").map(Number);
  const isRecent = major > SINCE[0] || (major === SINCE[0] && minor >= SINCE[1]);
  return isRecent && vscode.workspace.getConfiguration("editor").get("accessibilitySupport") !== "on";
}

type Provide = vscode.InlineCompletionItemProvider["provideInlineCompletionItems"];
type Provided = vscode.InlineCompletionItem[] | vscode.InlineCompletionList | null | undefined;

/** How long the provider of a piece waits for the extension's own to be asked as well. */
const TOGETHER_MS = 10;

/** How long after a change VS Code has asked anew if it does so. */
const QUIET_MS = 150;

interface Place {
  readonly document: vscode.TextDocument;
  readonly version: number;
  readonly position: vscode.Position;
}

function isAt(at: Place | undefined, document: vscode.TextDocument, position: vscode.Position): boolean {
  return at?.document === document && at.version === document.version && at.position.isEqual(position);
}

/** Whether VS Code asks by itself, for the text as it is and not for an entry of the list of completions. */
function isPlain(context: vscode.InlineCompletionContext): boolean {
  return context.triggerKind === vscode.InlineCompletionTriggerKind.Automatic && !context.selectedCompletionInfo;
}

/** What an item adds behind the cursor. */
function textBehind({ insertText, range }: vscode.InlineCompletionItem, position: vscode.Position): string {
  const text = typeof insertText === "string" ? insertText : insertText.value;
  return text.slice(range ? position.character - range.start.character : 0).replaceAll("\r\n", "\n");
}

function id(item: vscode.InlineCompletionItem): unknown {
  return item.command?.arguments?.[0];
}

/**
 * Remembers the latest answer. When it has grown, VS Code is made to ask for it again, and swaps one text for the longer
 * one in a single step.
 *
 * Where neither the text nor the cursor has changed, VS Code asks only a provider that it did not ask before. So one is
 * registered for each piece, which answers from here and not from the server. If a key was typed before VS Code came to
 * ask, VS Code asks this provider alone for the new text, which the server then answers as usual. What the user has
 * hidden must not be drawn again, and VS Code tells no extension of that; so Escape is bound to `hide` while something
 * may be on the screen.
 */
export class Growth implements vscode.Disposable {
  /** What the server was asked for last, what it answered to that, and how it is asked. */
  private asked: Place | undefined;
  private latest: (Place & { readonly items: vscode.InlineCompletionItem[] }) | undefined;
  private next: Provide = () => undefined;
  /** The id of the first item of the last answer, which is the one that VS Code shows. */
  private offered: unknown;
  /** What is left to accept of it, and where. */
  private left: (Place & { readonly text: string }) | undefined;
  private readonly watch = vscode.workspace.onDidChangeTextDocument((event) => this.changed(event));
  private provider: vscode.Disposable | undefined;
  private isDrawing = false;
  private isOutdated = false;
  private hasSuggested = false;

  /** `extensionId` is that of this extension, by which VS Code finds the provider. */
  constructor(private readonly extensionId: string) {}

  /** Remembers what is answered to a request. */
  async remember(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
    next: Provide,
  ): Promise<Provided> {
    const place = (this.asked = { document, version: document.version, position });
    this.next = next;
    this.latest = this.left = undefined;
    const answer = await next(document, position, context, token);
    const items = (Array.isArray(answer) ? answer : answer?.items) ?? [];
    if (place !== this.asked || token.isCancellationRequested) {
      return answer;
    }
    const [first] = items;
    this.offered = first && id(first);
    this.setHasSuggested(items.length > 0);
    if (isPlain(context)) {
      this.latest = first && { ...place, items };
      this.left = first && { ...place, text: textBehind(first, position) };
    }
    return answer;
  }

  /** Draws what the server says has grown, unless the text is another by now. */
  grew({ textDocument, itemId, text }: Grown): void {
    const item = this.latest?.items.find((one) => id(one) === itemId);
    if (item && this.latest?.version === textDocument.version) {
      item.insertText = text;
      this.left = { ...this.latest, text: textBehind(item, this.latest.position) };
      void this.draw();
    }
  }

  /** Hides what is suggested, for good. The id of what was suggested, if it is known. */
  async hide(): Promise<string | undefined> {
    const hidden = this.offered;
    this.forget();
    await vscode.commands.executeCommand("editor.action.inlineSuggest.hide");
    return typeof hidden === "string" ? hidden : undefined;
  }

  dispose(): void {
    this.forget();
    this.watch.dispose();
    this.provider?.dispose();
  }

  private forget(): void {
    this.latest = this.left = this.offered = undefined;
    this.setHasSuggested(false);
  }

  private async draw(): Promise<void> {
    this.isOutdated = true;
    while (!this.isDrawing && this.isOutdated && this.isOnScreen()) {
      this.isOutdated = false;
      await this.trigger();
    }
  }

  /** Has VS Code ask a provider that it does not know yet. */
  private async trigger(): Promise<void> {
    this.isDrawing = true;
    // The one before is asked to free its item when that is no longer shown.
    const before = this.provider;
    this.provider = vscode.languages.registerInlineCompletionItemProvider(SELECTOR, {
      provideInlineCompletionItems: (document, position, context, token) =>
        this.isDrawing && isPlain(context) ? this.provide(document, position, context, token) : undefined,
    });
    try {
      const how = { explicit: false, providerId: `${this.extensionId}:*` };
      await vscode.commands.executeCommand("editor.action.inlineSuggest.trigger", how);
    } finally {
      this.isDrawing = false;
      before?.dispose();
    }
  }

  /** After a word or a line was accepted, VS Code asks for nothing; but there may be more by then. */
  private changed({ document, contentChanges: [change, ...others] }: vscode.TextDocumentChangeEvent): void {
    const at = this.left;
    if (!at || !change || document !== at.document) {
      return;
    }
    const text = change.text.replaceAll("\r\n", "\n");
    const isPart = text !== "" && change.range.start.isEqual(at.position) && at.text.startsWith(text);
    if (others.length || !isPart) {
      this.left = undefined;
      return;
    }
    const position = document.positionAt(document.offsetAt(at.position) + change.text.length);
    const left = (this.left = { document, version: document.version, position, text: at.text.slice(text.length) });
    setTimeout(() => {
      const isAsked = this.asked?.document === document && this.asked.version === document.version;
      if (this.left === left && !isAsked && !this.isDrawing && this.isCursorAt(left)) {
        void this.trigger().then(() => this.draw());
      }
    }, QUIET_MS);
  }

  /** What the provider of a piece answers. */
  private async provide(
    document: vscode.TextDocument,
    position: vscode.Position,
    context: vscode.InlineCompletionContext,
    token: vscode.CancellationToken,
  ): Promise<Provided> {
    if (isAt(this.latest, document, position)) {
      return this.latest?.items.map((item) => new vscode.InlineCompletionItem(item.insertText, item.range, item.command));
    }
    const isAsked = isAt(this.asked, document, position);
    if (!isAsked && this.asked?.document === document && this.asked.version === document.version) {
      return undefined; // the cursor has moved away
    }
    if (!isAsked) {
      await new Promise((resolve) => setTimeout(resolve, TOGETHER_MS));
    }
    const isAnswered = token.isCancellationRequested || (!isAsked && isAt(this.asked, document, position));
    return isAnswered ? undefined : this.remember(document, position, context, token, this.next);
  }

  private isOnScreen(): boolean {
    return vscode.window.state.focused && this.isCursorAt(this.latest);
  }

  private isCursorAt(place: Place | undefined): boolean {
    const editor = vscode.window.activeTextEditor;
    const isAlone = editor?.selections.length === 1 && editor.selection.isEmpty;
    return isAlone && isAt(place, editor.document, editor.selection.active);
  }

  private setHasSuggested(hasSuggested: boolean): void {
    if (hasSuggested !== this.hasSuggested) {
      this.hasSuggested = hasSuggested;
      void vscode.commands.executeCommand("setContext", HAS_SUGGESTED, hasSuggested);
    }
  }
}
