// What a template sees of a query. Worker.
import type { GoMatch } from '../../base/go-regexp.ts';
import { formatIpAddress } from '../../base/ip-address.ts';
import type { Query } from '../../chain/query.ts';
import { GoFunction, GoStruct, type GoValue } from '../../config/go-template/value.ts';
import { formatName } from '../../wire/name.ts';
import { formatClass } from '../../wire/record.ts';
import { CLASS, formatType, RRTYPE } from '../../wire/types.ts';
import type { TemplateRule } from './setup.ts';

/** Fields of `.`; `variables` become `.Var`. */
export function makeTemplateData(
  query: Query,
  rule: TemplateRule,
  zone: string,
  name: string,
  match: GoMatch,
  variables: ReadonlyMap<string, GoValue>,
): GoStruct {
  const isClassOpen = query.qclass === CLASS.ANY;
  const question = makeQuestion(query);
  return new GoStruct('*template.templateData', {
    Zone: zone,
    Name: name,
    Class: formatClass(isClassOpen ? rule.qclass : query.qclass),
    Type: formatType(query.qtype === RRTYPE.ANY ? rule.qtype : query.qtype),
    Match: match.groups.map((group) => group ?? ''),
    Group: groupsOf(match),
    Message: makeMessage(query, question),
    Question: question,
    Remote: formatIpAddress(query.clientAddress.subarray(0, query.family === 4 ? 4 : 16)),
    Var: variables,
    Meta: new GoFunction(['string'], false, ([label]) => query.metadata?.get(label as string) ?? ''),
  });
}

/** Groups by number and by name. */
export function groupsOf(match: GoMatch): Map<string, string> {
  const groups = new Map<string, string>();
  for (const [i, text] of match.groups.entries()) groups.set(String(i), text ?? '');
  for (const [name, i] of match.names) groups.set(name, match.groups[i] ?? '');
  return groups;
}

function makeQuestion(query: Query): GoStruct {
  const name = formatName(query.renamed ? query.name : query.rawName);
  const fields = { Name: name, Qtype: BigInt(query.qtype), Qclass: BigInt(query.qclass) };
  const text = `;${name}\t${formatClass(query.qclass)}\t ${formatType(query.qtype)}`;
  return new GoStruct('*dns.Question', { ...fields, String: method(text) }, () => text);
}

function makeMessage(query: Query, question: GoStruct): GoStruct {
  const flag = (bit: number): boolean => (query.flags & bit) !== 0;
  return new GoStruct('*dns.Msg', {
    Id: BigInt(query.id),
    Response: false,
    Opcode: BigInt(query.opcode),
    Authoritative: flag(0x0400),
    Truncated: flag(0x0200),
    RecursionDesired: query.recursionDesired,
    RecursionAvailable: flag(0x0080),
    Zero: flag(0x0040),
    AuthenticatedData: flag(0x0020),
    CheckingDisabled: query.checkingDisabled,
    Rcode: BigInt(query.flags & 15),
    Compress: false,
    Question: [question],
    Answer: [],
    Ns: [],
    Extra: [],
    Len: method(BigInt(query.packetLength)),
    IsEdns0: method(query.hasEdns ? makeOpt(query) : null),
  });
}

function makeOpt(query: Query): GoStruct {
  return new GoStruct('*dns.OPT', {
    Do: method(query.dnssecOk),
    UDPSize: method(BigInt(query.udpSize)),
    Version: method(BigInt(query.ednsVersion)),
  });
}

function method(value: GoValue): GoFunction {
  return new GoFunction([], false, () => value);
}
