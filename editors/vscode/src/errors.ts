/** What the server says, in the words of this editor. */

/** An error's own words. */
export function messageOf(error: unknown): string {
  return inOwnWords(error instanceof Error ? error.message : String(error));
}

/** A sentence of the server with our command in the place of the terminal's. */
export function inOwnWords(sentence: string): string {
  return sentence.replace(/codegemma-lsp models pull \S+/, "choose it with CodeGemma: Choose a Model");
}
