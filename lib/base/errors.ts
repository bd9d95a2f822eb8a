// The errors an operator can meet at start, reload or `-check`, each with a stable code. Both kinds of thread.

/** What each code means; `docs/errors.md` holds the same list and a test keeps the two equal. */
export const ERROR_CODES = {
  SYNTAX: 'the Corefile does not follow the grammar',
  IMPORT: 'an import names nothing, too much, or itself',
  DIRECTIVE_UNKNOWN: 'no plugin has this name',
  DIRECTIVE_REMOVED: 'CoreDNS had this directive once and dropped it',
  DIRECTIVE_NOT_BUILT: 'a CoreDNS plugin that this program does not have',
  DIRECTIVE_REPEATED: 'the directive may stand once in a server block',
  OPTION_UNKNOWN: 'the plugin has no such option',
  ARGUMENT_COUNT: 'too few or too many arguments',
  ARGUMENT_VALUE: 'an argument is not of the form or in the range it must have',
  OPTION_CONFLICT: 'two options exclude each other or one needs another',
  KEY: 'a server block key is not a zone, address or port',
  ZONE_DUPLICATE: 'two server blocks claim the same zone on the same listener',
  FILE: 'a file that the configuration names cannot be read or used',
  ADDRESS: 'an address, interface or host name cannot be resolved',
  LISTEN: 'a socket cannot be opened',
  CLUSTER: 'the Kubernetes client cannot be built',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

/** A configuration problem with the place it stands at. `message` is the text without the place. */
export class ConfigError extends Error {
  readonly code: ErrorCode;
  /** Path as the operator wrote it; empty when the problem has no file. */
  readonly file: string;
  /** Counted from 1; 0 when the problem has no line. */
  readonly line: number;

  constructor(code: ErrorCode, message: string, file = '', line = 0) {
    super(message);
    this.name = 'ConfigError';
    this.code = code;
    this.file = file;
    this.line = line;
  }

  /** `FILE:LINE - Error during parsing: message`: as CoreDNS reports what keeps it from starting, so that tools recognise it. */
  formatFatal(): string {
    return this.line === 0 ? this.format() : `${this.file}:${this.line} - Error during parsing: ${this.message}`;
  }

  /** `FILE:LINE: message`, as `-check` prints it. */
  format(): string {
    if (this.file === '') return this.message;
    return this.line === 0 ? `${this.file}: ${this.message}` : `${this.file}:${this.line}: ${this.message}`;
  }
}
