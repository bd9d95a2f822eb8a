// lib/plugins/forward/attempt.ts — worker. One exchange of a flight with one upstream: all that is kept of it while it is under way.
import type { ReplyWaiter, UpstreamReply } from '../../chain/plugin.ts';
import type { Flight } from './flight.ts';
import type { Nameserver } from './nameserver.ts';

/** Who started an attempt and hears of its end. */
export interface AttemptUser {
  /** The reply's bytes are gone when this returns. */
  heard(attempt: Attempt, reply: UpstreamReply): void;
  missed(attempt: Attempt, error: Error): void;
}

export class Attempt implements ReplyWaiter {
  readonly flight: Flight;
  readonly nameserver: Nameserver;
  readonly transport: 'udp' | 'tcp';
  /** By `Clock.monotonicMs`. */
  readonly startMs: number;
  readonly user: AttemptUser;

  constructor(flight: Flight, nameserver: Nameserver, transport: 'udp' | 'tcp', startMs: number, user: AttemptUser) {
    this.flight = flight;
    this.nameserver = nameserver;
    this.transport = transport;
    this.startMs = startMs;
    this.user = user;
  }

  replied(reply: UpstreamReply): void {
    this.user.heard(this, reply);
  }

  failed(error: Error): void {
    this.user.missed(this, error);
  }
}
