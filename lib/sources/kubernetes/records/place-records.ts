// One headless Service and its slices -> its names as they are answered to clients of one node or topology zone. Control
// thread, pure.
//
// Which endpoints that are follows kube-proxy: hints go before an endpoint's own place, and count only when every ready
// endpoint has them; each address family is looked at by itself.
import { placeLabel, type PlaceKind } from '../../../store/place-name.ts';
import { PLACE_FLAG } from '../../../store/rrset-form.ts';
import type { EndpointSlice } from '../objects/endpoint-slice.ts';
import { NO_TEXTS } from '../objects/interned.ts';
import type { Service, TrafficPolicy } from '../objects/service.ts';
import { portLabels, type RecordOptions } from './labels.ts';
import type { Contents } from './name-answer.ts';
import { serviceName } from './relative-name.ts';
import { addHeadless } from './service-records.ts';

/** Where clients look first, for Services that say nothing themselves. */
export type Topology = 'zone' | 'node';

/** Entries of one slice, by their index. */
type Selection = Map<EndpointSlice, number[]>;

/** Names with a place's label in front, and without it the flags of `PLACE_FLAG`. Empty when all places get all endpoints. */
export function placeRecords(
  service: Service,
  slices: readonly EndpointSlice[],
  options: RecordOptions,
  topology: Topology,
): Map<string, Contents> {
  const names = new Map<string, Contents>();
  if (!service.headless || service.type === 'ExternalName') return names;
  const base = serviceName(service.namespace, service.name);
  const flags = flagsOf(service.traffic, topology);
  const isOnly = (flags & PLACE_FLAG.ONLY) !== 0;
  // A place that gets all anyway needs no names of its own, unless one that follows would narrow them again.
  const keepsAll = flags !== PLACE_FLAG.NODE && flags !== PLACE_FLAG.ZONE;
  for (const kind of ['node', 'zone'] as const) {
    if ((flags & (kind === 'node' ? PLACE_FLAG.NODE : PLACE_FLAG.ZONE)) === 0) continue;
    for (const [place, selection] of selectByPlace(slices, kind, isOnly)) {
      if (!isOnly) addOtherFamilies(selection, slices);
      if (!keepsAll && isAll(selection, slices)) continue;
      const found = new Map<string, Contents>();
      addHeadless(found, base, [...selection].map(pick), { ...options, zonal: false });
      for (const [name, contents] of found) names.set(placeLabel(kind, place) + name, contents);
    }
  }
  if (names.size === 0 && !isOnly) return names;
  for (const name of headlessNames(base, slices)) names.set(name, { flags, rrsets: [] });
  return names;
}

function flagsOf(traffic: TrafficPolicy | undefined, topology: Topology): number {
  switch (traffic) {
    case 'Local':
      return PLACE_FLAG.NODE | PLACE_FLAG.ONLY;
    case 'PreferSameNode':
      return PLACE_FLAG.NODE | PLACE_FLAG.ZONE;
    case 'PreferSameZone':
      return PLACE_FLAG.ZONE;
    default:
      return topology === 'node' ? PLACE_FLAG.NODE : PLACE_FLAG.ZONE;
  }
}

/** Ready endpoints of each place; `isOnly`: where they run, whatever hints say. */
function selectByPlace(slices: readonly EndpointSlice[], kind: PlaceKind, isOnly: boolean): Map<string, Selection> {
  const byPlace = new Map<string, Selection>();
  const isHinted = !isOnly && slices.every((slice) => isEveryReady(slice, (i) => hintsOf(slice, kind, i) !== ''));
  for (const slice of slices) {
    const own = kind === 'node' ? slice.nodeNames : slice.zones;
    for (let i = 0; i < slice.readyCount; i++) {
      const places = isHinted ? hintsOf(slice, kind, i).split(' ') : [own[i] ?? ''];
      for (const place of new Set(places)) if (place !== '') addTo(byPlace, place, slice, i);
    }
  }
  return byPlace;
}

function isEveryReady(slice: EndpointSlice, test: (i: number) => boolean): boolean {
  for (let i = 0; i < slice.readyCount; i++) if (!test(i)) return false;
  return true;
}

function hintsOf(slice: EndpointSlice, kind: PlaceKind, i: number): string {
  return (kind === 'node' ? slice.hints?.nodes[i] : slice.hints?.zones[i]) ?? '';
}

function addTo(byPlace: Map<string, Selection>, place: string, slice: EndpointSlice, i: number): void {
  let selection = byPlace.get(place);
  if (!selection) byPlace.set(place, (selection = new Map()));
  const indexes = selection.get(slice);
  if (indexes) indexes.push(i);
  else selection.set(slice, [i]);
}

/** Of a family that the place has no endpoint of it gets all. */
function addOtherFamilies(selection: Selection, slices: readonly EndpointSlice[]): void {
  const near = new Set([...selection.keys()].map(({ addressType }) => addressType));
  for (const slice of slices) {
    if (near.has(slice.addressType) || slice.readyCount === 0) continue;
    selection.set(
      slice,
      Array.from({ length: slice.readyCount }, (_, i) => i),
    );
  }
}

function isAll(selection: Selection, slices: readonly EndpointSlice[]): boolean {
  return slices.every((slice) => (selection.get(slice)?.length ?? 0) === slice.readyCount);
}

/** A slice with only these of its endpoints. */
function pick([slice, indexes]: readonly [EndpointSlice, readonly number[]]): EndpointSlice {
  const column = (values: readonly string[]): readonly string[] =>
    values.length === 0 ? NO_TEXTS : indexes.map((i) => values[i]!);
  return {
    ...slice,
    readyCount: indexes.length,
    addresses: column(slice.addresses),
    hostnames: column(slice.hostnames),
    targetNames: column(slice.targetNames),
  };
}

/** Names that `addHeadless` would make. */
function headlessNames(base: string, slices: readonly EndpointSlice[]): Set<string> {
  const names = new Set<string>();
  for (const slice of slices) {
    if (slice.readyCount === 0) continue;
    names.add(base);
    for (const port of slice.ports) if (port.name !== '') names.add(portLabels(port) + base);
  }
  return names;
}
