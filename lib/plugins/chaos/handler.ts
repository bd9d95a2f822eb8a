// Answers version.bind and its kin in class CH. Worker.
import type { Answer } from '../../chain/answer.ts';
import { Outcome } from '../../chain/outcome.ts';
import type { Env, Handler } from '../../chain/plugin.ts';
import { setLastClass } from '../../chain/record-class.ts';
import { ZoneTable } from '../../chain/zone-table.ts';
import { SECTION } from '../../wire/record-index.ts';
import { CLASS, RRTYPE } from '../../wire/types.ts';
import type { ChaosOptions } from './setup.ts';

const QUESTION_NAME_AT = 12;
const NAME_LABELS = 2;
/** In the order of the `switch` below. */
const NAMES = ['version.bind.', 'version.server.', 'hostname.bind.', 'id.server.', 'authors.bind.'];

export function createChaosHandler(options: ChaosOptions, { next, random }: Env): Handler {
  const names = new ZoneTable(NAMES);

  return function chaos(query, answer) {
    if (query.qclass !== CLASS.CH || query.qtype !== RRTYPE.TXT || query.labelCount !== NAME_LABELS) {
      return next(query, answer);
    }
    switch (names.match(query)) {
      case 0:
      case 1:
        addText(answer, options.version);
        return Outcome.ANSWERED;
      case 2:
      case 3:
        addText(answer, options.hostname);
        return Outcome.ANSWERED;
      case 4:
        for (const author of shuffle(options.authors, random)) addText(answer, author);
        return Outcome.ANSWERED;
      default:
        return next(query, answer);
    }
  };
}

function addText(answer: Answer, text: Uint8Array): void {
  if (!answer.beginRecordAt(SECTION.ANSWER, QUESTION_NAME_AT, RRTYPE.TXT, 0)) return;
  answer.putByte(text.length);
  answer.putBytes(text, 0, text.length);
  answer.endRecord();
  setLastClass(answer, CLASS.CH);
}

function shuffle(texts: readonly Uint8Array[], random: () => number): Uint8Array[] {
  const shuffled = [...texts];
  for (let left = shuffled.length; left > 1; left--) {
    const j = random() % left;
    const kept = shuffled[j]!;
    shuffled[j] = shuffled[left - 1]!;
    shuffled[left - 1] = kept;
  }
  return shuffled;
}
