// How long a zone file takes from its text to a zone that is answered from, and what memory it takes in the store.
//
//   node bench/zone-load.ts FILE ZONE
import { loadZoneFile } from '../lib/sources/zone-file/load-zone-file.ts';
import { ZonePublisher } from '../lib/sources/zone-file/zone-publisher.ts';
import { createStoreMemory } from '../lib/store/layout.ts';
import { StoreWriter } from '../lib/store/writer.ts';
import { parseNameLower } from '../lib/wire/name.ts';

const [file = '', zone = ''] = process.argv.slice(2);
const writer = new StoreWriter(createStoreMemory({ readers: 1 }));
const start = performance.now();
const loaded = await loadZoneFile(file, parseNameLower(zone)!);
if (loaded.kind !== 'loaded') throw new Error(loaded.kind === 'failed' ? loaded.error.message : loaded.kind);
const readMs = performance.now() - start;
await new ZonePublisher(writer, writer.openTree()).publish(loaded.contents);
const { user, system } = process.cpuUsage();
console.log(
  `records=${loaded.contents.recordCount} read_ms=${readMs.toFixed(0)} all_ms=${(performance.now() - start).toFixed(0)} process_cpu_ms=${((user + system) / 1000).toFixed(0)}`,
);
