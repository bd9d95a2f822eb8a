// Go templates: every case was run through Go's text/template with the same data.
import test from 'ava';
import { formatNodes } from '../../../lib/config/go-template/ast.ts';
import { renderGoTemplate } from '../../../lib/config/go-template/evaluate.ts';
import { GO_FUNCTIONS } from '../../../lib/config/go-template/functions.ts';
import { TemplateSyntaxError } from '../../../lib/config/go-template/lexer.ts';
import { parseGoTemplate } from '../../../lib/config/go-template/parser.ts';
import { GoStruct, TemplateRunError } from '../../../lib/config/go-template/value.ts';

const NAMES: ReadonlySet<string> = new Set(GO_FUNCTIONS.keys());
const DATA = new GoStruct('data', {
  Name: 'www.example.org.',
  Zone: 'example.org.',
  Match: ['a', 'bb', 'ccc'],
  Group: new Map([
    ['a', '1'],
    ['b', '22'],
    ['0', 'x'],
  ]),
  N: 7n,
  F: 1.5,
  B: true,
  E: '',
  None: [],
});

function render(text: string): string {
  try {
    return renderGoTemplate(parseGoTemplate(text, NAMES), DATA, GO_FUNCTIONS);
  } catch (error) {
    if (error instanceof TemplateSyntaxError) return 'parse error';
    if (error instanceof TemplateRunError) return 'run error';
    throw error;
  }
}

const CASES: readonly (readonly [template: string, result: string])[] = [
  ['{{ .Name }} 60 IN A 1.2.3.4', 'www.example.org. 60 IN A 1.2.3.4'],
  ['{{.Name}} {{ .Zone }}', 'www.example.org. example.org.'],
  ['{{ index .Match 1 }}', 'bb'],
  ['{{ index .Match 5 }}', 'run error'],
  ['{{ index .Group "a" }}{{ index .Group "zz" }}|', '1|'],
  ['{{ .Group.zz }}', '<no value>'],
  ['{{ .Group.a }}', '1'],
  ['{{ .Nosuch }}', 'run error'],
  ['{{ len .Match }} {{ len .Name }} {{ .Match | len }}', '3 16 3'],
  ['{{ if eq .Name "x" }}a{{ else if eq .Group.a "1" }}b{{ else }}c{{ end }}', 'b'],
  ['{{ if .E }}a{{ else }}b{{ end }}', 'b'],
  ['{{ range .Match }}<{{ . }}>{{ end }}', '<a><bb><ccc>'],
  ['{{ range $i, $e := .Match }}{{ $i }}={{ $e }};{{ end }}', '0=a;1=bb;2=ccc;'],
  ['{{ range $k, $v := .Group }}{{ $k }}={{ $v }};{{ end }}', '0=x;a=1;b=22;'],
  ['{{ range .None }}x{{ else }}none{{ end }}', 'none'],
  ['{{ range 3 }}{{ . }}{{ end }}', '012'],
  ['{{ range $i := 3 }}{{ $i }}{{ if eq $i 1 }}{{ break }}{{ end }}{{ end }}', '01'],
  ['{{ range .Match }}{{ if eq . "bb" }}{{ continue }}{{ end }}{{ . }}{{ end }}', 'accc'],
  ['{{ with .Name }}{{ . }} {{ $.Zone }}{{ end }}', 'www.example.org. example.org.'],
  ['{{ with .E }}x{{ else with .Zone }}{{ . }}{{ end }}', 'example.org.'],
  ['{{ $x := 1 }}{{ $x = 2 }}{{ $x }}', '2'],
  ['{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}', 'parse error'],
  ['{{ $y }}', 'parse error'],
  ['a {{- .Name -}} b', 'awww.example.org.b'],
  ['a  {{-  .Name  -}}  b', 'awww.example.org.b'],
  ['a {{- /* hi */ -}} b', 'ab'],
  ['{{/* hi */}}x', 'x'],
  ['{{ /* hi */ }}x', 'parse error'],
  ['{{ printf "%s-%d %v %q %x %05d|%-5s|%5s|" "a" 3 1.5 "q" 255 42 "l" "r" }}', 'a-3 1.5 "q" ff 00042|l    |    r|'],
  ['{{ printf "%04x %X %#x %o %b %c %U" 255 255 255 8 5 65 65 }}', '00ff FF 0xff 10 101 A U+0041'],
  ['{{ printf "%d" "s" }}', '%!d(string=s)'],
  ['{{ printf "%s" 5 }}', '%!s(int=5)'],
  ['{{ printf "%d %d" 1 }}', '1 %!d(MISSING)'],
  ['{{ printf "%d" 1 2 }}', '1%!(EXTRA int=2)'],
  ['{{ printf "%.2f %e %g %6.2f %v" 1.5 1.5 1.5 2.345 1e21 }}', '1.50 1.500000e+00 1.5   2.35 1e+21'],
  ['{{ printf "%t %v" true false }}', 'true false'],
  ['{{ printf "%[2]d %[1]d" 1 2 }}', '2 1'],
  ['{{ printf "%*d" 5 3 }}', '    3'],
  ['{{ printf "%v %s" .Match .Match }}', '[a bb ccc] [a bb ccc]'],
  ['{{ printf "%v" .Group }}', 'map[0:x a:1 b:22]'],
  ['{{ .Match }} {{ .Group }}', '[a bb ccc] map[0:x a:1 b:22]'],
  ['{{ print 1 2 "a" "b" 3 4 }}', '1 2ab3 4'],
  ['{{ println 1 "a" }}|', '1 a\n|'],
  ['{{ not true }} {{ and 1 0 }} {{ or 0 "" "x" }} {{ and true "y" }}', 'false 0 x y'],
  ['{{ eq 1 1.0 }}', 'run error'],
  ['{{ eq 1 2 1 }} {{ ne 1 2 }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt "b" "a" }} {{ ge 1.5 1.5 }}', 'true true true true true true'],
  ['{{ eq "a" 1 }}', 'run error'],
  ['{{ lt true false }}', 'run error'],
  ['{{ eq .Match .Match }}', 'run error'],
  ['{{ slice .Name 0 3 }} {{ slice .Match 1 }} {{ slice "abc" 1 2 }}', 'www [bb ccc] b'],
  ['{{ slice .Name 5 2 }}', 'run error'],
  [`{{ html "<a&b>" }} {{ js "it's" }} {{ urlquery "a b&c" }}`, '&lt;a&amp;b&gt; it\\\'s a+b%26c'],
  ['{{ "a" | printf "%s%s" "b" }}', 'ba'],
  ['{{ (index .Match 0) }} {{ (index .Match 0) | len }}', 'a 1'],
  ['{{ nofunc 1 }}', 'parse error'],
  ['{{ .Name', 'parse error'],
  ['{{ end }}', 'parse error'],
  ['{{ if .Name }}', 'parse error'],
  ['{{ else }}', 'parse error'],
  ['{{ }}', 'parse error'],
  ['{{ .Name. }}', 'parse error'],
  ['{{ .Name .Zone }}', 'run error'],
  ['{{ "x" "y" }}', 'run error'],
  ['{{ 1 | 2 }}', 'parse error'],
  ['{{ true }} {{ nil }}', 'run error'],
  ['{{ eq nil nil }}', 'true'],
  ['{{ \'a\' }} {{ 0x10 }} {{ 1_000 }} {{ 1e3 }} {{ 010 }} {{ 0b11 }}', '97 16 1000 1000 8 3'],
  ['{{ "a\\tb\\x41\\u00e9" }} {{ `raw\\n` }}', 'a\tbAé raw\\n'],
  ['{{ define "t" }}<{{ . }}>{{ end }}{{ template "t" .Name }}', '<www.example.org.>'],
  ['{{ block "t" .Zone }}[{{ . }}]{{ end }}', '[example.org.]'],
  ['{{ template "nope" }}', 'run error'],
  ['{{ if and (eq .Group.a "1") (gt (len .Match) 2) }}yes{{ end }}', 'yes'],
  ['{{ with $x := .Name }}{{ $x }}{{ end }}', 'www.example.org.'],
  ['{{ range $i, $e := 3 }}{{ end }}', 'run error'],
  ['{{ break }}', 'parse error'],
  ['{{ 1.5 }} {{ 1.0 }} {{ -3 }} {{ +3 }}', '1.5 1 -3 3'],
  ['{{ index .Match 1.0 }}', 'run error'],
  ['{{ index .Match "a" }}', 'run error'],
  ['{{ len 5 }}', 'run error'],
  ['{{ .N }} {{ .F }} {{ .B }} {{ eq .N 7 }}', '7 1.5 true true'],
  ['{{ .Name.Foo }}', 'run error'],
  ['{{ .Group.a.b }}', 'run error'],
  ['{{ .Group.zz.b }}', '<no value>'],
  ['{{ printf "%s" .Group.zz }}', '%!s(<nil>)'],
  ['{{ eq .Group.zz "" }}', 'false'],
  ['{{ len .Group.zz }}', 'run error'],
  ['{{- "a" -}}   b', 'ab'],
  ['{{ "unterminated }}', 'parse error'],
  ['{{ 5x }}', 'parse error'],
  ['{{ a@b }}', 'parse error'],
  ['{{ (.Name }}', 'parse error'],
  ['{{ .Name) }}', 'parse error'],
  ['{{ ($x) }}', 'parse error'],
  ['{{ if $z := 1 }}{{ $z }}{{ end }}', '1'],
  ['{{ range $a, $b, $c := .Match }}{{ end }}', 'parse error'],
  ['{{ $a, $b := .Match }}', 'parse error'],
  ['{{ if true }}x{{ else if false }}y{{ else }}z{{ else }}w{{ end }}', 'parse error'],
  ['{{ print }}', ''],
  ['{{ printf }}', 'run error'],
  ['{{ not }}', 'run error'],
  ['{{ len .Match 1 }}', 'run error'],
  ['}} {{ "}}" }}', '}} }}'],
  ['{ {{ "{" }} }', '{ { }'],
  ['{{ not (eq .Name "x") | printf "%v" }}', 'true'],
  ['{{range .Match}}{{.}}{{end}}{{if .B}}1{{else}}2{{end}}', 'abbccc1'],
  ['{{ printf "%5t|%-6v|%+d|% d" true "a" 5 5 }}', ' true|a     |+5| 5'],
  ['{{ printf "%x %X % x" "hello" "hi" "abc" }}', '68656c6c6f 6869 61 62 63'],
  ['{{ printf "%08.3f|%+.1e" 3.14159 12345.678 }}', '0003.142|+1.2e+04'],
  ['{{ printf "%!" }}', '%!!(MISSING)'],
  ['{{ printf "%" }}', '%!(NOVERB)'],
  ['{{ printf "%z" 1 }}', '%!z(int=1)'],
  ['{{ printf "%6q" "a" }}', '   "a"'],
  ['{{ index .Name 0 }}', '119'],
  ['{{ .Name|len|printf "%03d" }}', '016'],
  ['{{ and }}', 'run error'],
  ['{{ "a" "b" | print }}', 'run error'],
  ['{{ .Name | nil }}', 'parse error'],
  ['{{ with nil }}x{{ end }}', 'run error'],
  ['{{ if nil }}x{{ end }}', 'run error'],
]; // biome-ignore format: a table

for (const [index, [template, result]] of CASES.entries()) {
  test(`go template ${index + 1}: ${template} is ${JSON.stringify(result)}`, (t) => {
    t.is(render(template), result);
  });
}

test('go template: the text form is the one Go shows in metrics', (t) => {
  const text =
    '{{ if eq .Name "x" }}a{{ else if .Group.b }}b{{ end }} {{- /* c */ -}} {{ index .Match 1 | printf "%s" }}';
  const { root } = parseGoTemplate(text, NAMES);
  t.is(formatNodes(root), '{{if eq .Name "x"}}a{{else}}{{if .Group.b}}b{{end}}{{end}}{{index .Match 1 | printf "%s"}}');
});

test('go template: a range without end, and templates that call themselves, are cut off', (t) => {
  t.is(render('{{ range 1000000000 }}x{{ end }}'), 'run error');
  t.is(render('{{ define "a" }}{{ template "a" }}{{ end }}{{ template "a" }}'), 'run error');
});

test('go template: nesting deeper than any real template is a parse error', (t) => {
  t.is(render(`{{ ${'('.repeat(1000)}1${')'.repeat(1000)} }}`), 'parse error');
  t.is(render('{{ if 1 }}'.repeat(1000)), 'parse error');
});

test('go template: errors name the line', (t) => {
  const error = t.throws(() => parseGoTemplate('a\nb\n{{ nofunc }}', NAMES), { instanceOf: TemplateSyntaxError });
  t.is(error?.message, 'line 3: function "nofunc" not defined');
});
