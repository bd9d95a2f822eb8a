// What is wrong with a zone file, and where. Control thread.

/** `message` is the text without the place. */
export class ZoneFileError extends Error {
  readonly file: string;
  /** Counted from 1; 0 when the file as a whole is the problem. */
  readonly line: number;

  /** The file could not be opened or read. */
  readonly isUnreadable: boolean;

  constructor(message: string, file: string, line = 0, isUnreadable = false) {
    super(message);
    this.name = 'ZoneFileError';
    this.file = file;
    this.line = line;
    this.isUnreadable = isUnreadable;
  }

  /** `FILE:LINE: message`. */
  format(): string {
    return this.line === 0 ? `${this.file}: ${this.message}` : `${this.file}:${this.line}: ${this.message}`;
  }
}
