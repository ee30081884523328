/** `codegemma/definitions`: what other extensions say where names are defined. */
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";

interface Position {
  line: number;
  character: number;
}

interface Asked {
  textDocument: { uri: string; version: number };
  positions: Position[];
}

interface Place {
  uri: string;
  range: { start: Position; end: Position };
}

/**
 * The type of a variable tells more than the place where it is assigned. These ask every provider of definitions, of which
 * the server of this extension is none.
 */
const COMMANDS = ["vscode.executeTypeDefinitionProvider", "vscode.executeDefinitionProvider"];

/** How long the providers are waited for. What has come by then is the answer; the server itself waits longer. */
const GIVE_UP_MS = 1500;

/** Has the server's requests for definitions answered: a list of places for each position, or null for another text. */
export function answerDefinitions(client: LanguageClient): vscode.Disposable {
  return client.onRequest("codegemma/definitions", async ({ textDocument, positions }: Asked): Promise<Place[][] | null> => {
    const { code2ProtocolConverter: out, protocol2CodeConverter: into } = client;
    const isAsked = (one: vscode.TextDocument): boolean =>
      one.version === textDocument.version && out.asUri(one.uri) === textDocument.uri;
    const document = vscode.workspace.textDocuments.find(isAsked);
    if (!document) {
      return null;
    }
    const found: Place[][] = positions.map(() => []);
    const all = positions.flatMap((position, index) =>
      COMMANDS.map(async (command) => {
        const places = await execute(command, document.uri, into.asPosition(position));
        found[index]?.push(...places.map(({ uri, range }) => ({ uri: out.asUri(uri), range: out.asRange(range) })));
      }),
    );
    await Promise.race([Promise.all(all), new Promise((resolve) => setTimeout(resolve, GIVE_UP_MS))]);
    return found;
  });
}

/** The places that a command finds; none where a provider fails. */
async function execute(command: string, uri: vscode.Uri, position: vscode.Position): Promise<vscode.Location[]> {
  try {
    const found = await vscode.commands.executeCommand<(vscode.Location | vscode.LocationLink)[]>(command, uri, position);
    return found.map((one) =>
      "targetUri" in one ? new vscode.Location(one.targetUri, one.targetSelectionRange ?? one.targetRange) : one,
    );
  } catch {
    return [];
  }
}
