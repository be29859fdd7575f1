/** Small files, by `node:fs/promises`, which all runtimes have. Loaded only where it is used. */

/** The text of a file; `null` when there is none. */
export async function readText(path: string | URL): Promise<string | null> {
  const { readFile } = await import("node:fs/promises");
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as { code?: unknown }).code === "ENOENT") return null;
    throw error;
  }
}

/** Replaces a file as a whole: whoever reads it, or finds it after a crash, sees the old or the new. */
export async function replaceText(path: string | URL, text: string): Promise<void> {
  const { open, rename } = await import("node:fs/promises");
  const temporary = path instanceof URL ? new URL(`${path.href}.new`) : `${path}.new`;
  const file = await open(temporary, "w");
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
