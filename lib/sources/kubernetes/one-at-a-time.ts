// Side requests of all reflectors of a cluster take turns, so that together they need one connection. Control thread.

export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `task` when all earlier ones have ended, however they ended. */
  run<R>(task: () => Promise<R>): Promise<R> {
    const result = this.#last.then(task, task);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
