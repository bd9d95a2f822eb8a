// An HTTP endpoint over TLS as a web configuration says it: certificates are looked at again when they change. Control thread.
import fs from 'node:fs';
import type http from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Logger } from '../base/log.ts';
import { isAcceptedClient } from '../io/tls-server.ts';
import type { WebConfig, WebTls } from '../plugins/prometheus/web-config.ts';

/** How often files are looked at, at most, when connections come. */
const CHECK_INTERVAL_MS = 1000;

/**
 * A server for the web configuration in `file`: https, or http when that says nothing about TLS. A certificate that is written anew
 * counts from the next second on; other settings are those of the start.
 *
 * @throws ConfigError `FILE`
 */
export async function createWebServer(file: string, listener: http.RequestListener, log: Logger): Promise<http.Server> {
  // Only who serves metrics over TLS pays for these.
  const { readWebConfig } = await import('../plugins/prometheus/web-config.ts');
  const config = readWebConfig(file);
  const withHeaders: http.RequestListener = (request, response) => {
    for (const [name, value] of Object.entries(config.headers)) response.setHeader(name, value);
    listener(request, response);
  };
  const { tls } = config;
  if (tls === undefined) return process.getBuiltinModule('node:http').createServer(withHeaders);
  const options = {
    ...secureOptions(tls),
    requestCert: tls.clientAuth !== 'none',
    rejectUnauthorized: tls.clientAuth === 'require-and-verify',
  };
  const server = process.getBuiltinModule('node:https').createServer(options, withHeaders);
  server.on('secureConnection', (socket: TLSSocket) => {
    if (!isAcceptedClient(socket, tls.clientAuth)) socket.destroy();
  });
  const watch = new FileWatch(config.files);
  server.prependListener('connection', () => {
    if (!watch.hasChanged()) return;
    try {
      const next = readWebConfig(file);
      if (next.tls !== undefined) server.setSecureContext(secureOptions(next.tls));
      watch.take(next);
    } catch (error) {
      log.error(`${file}: the endpoint goes on as it was: ${(error as Error).message}`);
    }
  });
  return server;
}

function secureOptions({ clientAuth: _clientAuth, ...options }: WebTls): Omit<WebTls, 'clientAuth'> {
  return options;
}

/** Notices that files were written. */
class FileWatch {
  #files: readonly string[];
  #marks: string;
  #checkedMs = Date.now();

  constructor(files: readonly string[]) {
    this.#files = files;
    this.#marks = this.#mark();
  }

  hasChanged(): boolean {
    const nowMs = Date.now();
    if (nowMs - this.#checkedMs < CHECK_INTERVAL_MS) return false;
    this.#checkedMs = nowMs;
    const marks = this.#mark();
    const hasChanged = marks !== this.#marks;
    this.#marks = marks;
    return hasChanged;
  }

  take({ files }: WebConfig): void {
    this.#files = files;
    this.#marks = this.#mark();
  }

  #mark(): string {
    return this.#files
      .map((file) => {
        const stat = fs.statSync(file, { throwIfNoEntry: false });
        return `${stat?.mtimeMs} ${stat?.size} ${stat?.ino}`;
      })
      .join('\n');
  }
}
