// Reads from standard input what is to be validated, and writes what is wrong with it, as JSON:
//   {"schemas": {name: schema}, "values": [[name, value], …], "asyncapi": document or null}
//   → {"values": [errors of each], "asyncapi": [diagnostics of severity error or warning], "channels": [addresses]}
import { readFileSync } from 'node:fs';
import Ajv2020 from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { Parser } from '@asyncapi/parser';

const WORST_HARMLESS = 2; // 0 error, 1 warning, 2 information, 3 hint

const given = JSON.parse(readFileSync(0, 'utf8'));
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true });
addFormats(ajv);
const validators = {};
for (const [name, schema] of Object.entries(given.schemas)) validators[name] = ajv.compile(schema);
const values = given.values.map(([name, value]) =>
  validators[name](value) ? [] : validators[name].errors.map((e) => `${e.instancePath} ${e.message}`),
);

let asyncapi = [];
let channels = [];
if (given.asyncapi) {
  const { document, diagnostics } = await new Parser().parse(JSON.stringify(given.asyncapi));
  asyncapi = diagnostics
    .filter((each) => each.severity < WORST_HARMLESS)
    .map((each) => `${each.path.join('/')}: ${each.message}`);
  channels = document ? document.channels().all().map((channel) => channel.address()) : [];
}
process.stdout.write(JSON.stringify({ values, asyncapi, channels }));
