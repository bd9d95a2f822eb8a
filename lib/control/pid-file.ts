// The file that holds this process's id while it runs. Control thread.
import fs from 'node:fs';

/** Writes the process id and a newline. @throws the system's error */
export function writePidFile(file: string, pid: number = process.pid): void {
  fs.writeFileSync(file, `${pid}\n`);
}

/** Removes the file, if it still holds this process's id. */
export function removePidFile(file: string, pid: number = process.pid): void {
  try {
    if (fs.readFileSync(file, 'utf8').trim() === String(pid)) fs.unlinkSync(file);
  } catch {
    // Gone already, or never ours.
  }
}
