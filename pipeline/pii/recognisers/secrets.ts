import { CLASS, classAt, DIGIT, isAlphanumericAt, LETTER, TOKEN } from '../characters.ts';
import type { Recogniser, Scan } from '../recogniser.ts';

/** What the makers of a token put in front of it, the shortest that follows, and how far in the first digit may be. */
const TOKEN_PREFIXES: readonly (readonly [prefix: string, length: number])[] = [
  ['AKIA', 16], // AWS access key
  ['ASIA', 16],
  ['ABIA', 16],
  ['ACCA', 16],
  ['ghp_', 36], // GitHub
  ['gho_', 36],
  ['ghu_', 36],
  ['ghs_', 36],
  ['ghr_', 36],
  ['github_pat_', 60],
  ['glpat-', 20], // GitLab
  ['xoxb-', 20], // Slack
  ['xoxp-', 20],
  ['xoxa-', 20],
  ['xoxr-', 20],
  ['xoxs-', 20],
  ['xapp-', 20],
  ['AIza', 35], // Google
  ['ya29.', 30],
  ['sk_live_', 20], // Stripe
  ['rk_live_', 20],
  ['sk_test_', 20],
  ['whsec_', 20],
  ['sk-ant-', 24], // Anthropic
  ['sk-proj-', 24], // OpenAI
  ['sk-', 32],
  ['hf_', 30], // Hugging Face
  ['npm_', 36],
  ['pypi-', 50],
  ['SG.', 60], // SendGrid
  ['dop_v1_', 60], // DigitalOcean
  ['shpat_', 32], // Shopify
  ['eyJ', 60], // JSON Web Token
  ['tskey-', 20],
  ['hvs.', 24], // Vault
  ['dckr_pat_', 20], // Docker
];
const LONGEST_PREFIX = Math.max(...TOKEN_PREFIXES.map(([prefix]) => prefix.length));
const FIRST_BYTES = new Set(TOKEN_PREFIXES.map(([prefix]) => prefix.charCodeAt(0)));
/** Words of a token may start this far in and still look for its beginning. */
const MAX_LOOK_BACK = LONGEST_PREFIX + 4;
const MIN_TOKEN = 20;

const isTokenAt = (bytes: Buffer, at: number): boolean => ((CLASS[bytes[at] ?? 0] ?? 0) & TOKEN) !== 0;

/** A token by its prefix. Called at words with a digit; the prefix stands at the word or a few characters before. */
function findToken(scan: Scan, at: number): void {
  const { bytes } = scan;
  let start = at;
  while (start > 0 && at - start <= MAX_LOOK_BACK && isTokenAt(bytes, start - 1)) start--;
  if (at - start > MAX_LOOK_BACK || !FIRST_BYTES.has(bytes[start] ?? 0)) return;
  // Short words are nearly all there is: measure before reading.
  for (let i = at; i < start + MIN_TOKEN; i++) if (!isTokenAt(bytes, i)) return;
  const head = bytes.toString('latin1', start, start + LONGEST_PREFIX);
  const known = TOKEN_PREFIXES.find(([prefix]) => head.startsWith(prefix));
  if (!known) return;
  const [prefix, length] = known;
  let end = start + prefix.length;
  while (end < scan.length && isTokenAt(bytes, end)) end++;
  while (!isAlphanumericAt(bytes, end - 1) && end > start) end--;
  if (end - start - prefix.length < length) return;
  const text = bytes.toString('latin1', start, Math.min(end, start + 256));
  if (prefix === 'eyJ' ? !text.includes('.eyJ') : isPadding(text)) return;
  scan.add(start, end, 'SECRET', 'unmistakable');
}

/** `AKIAXXXXXXXXXXXXXXXX`: one character for nearly all of it. */
function isPadding(text: string): boolean {
  const tail = text.slice(-MIN_PADDING);
  return tail === tail.charAt(0).repeat(MIN_PADDING);
}

const MIN_PADDING = 10;

const KEY_MARK = 'PRIVATE KEY-----';
const KEY_BEGIN = '-----BEGIN ';
/** Longest algorithm in front of the mark: `OPENSSH `, `ENCRYPTED `, `RSA `. */
const MAX_ALGORITHM = 24;

/** A PEM or OpenSSH private key; without its end line, as far as the Base64 goes. */
function findPrivateKeys(scan: Scan): void {
  const text = scan.bytes.subarray(0, scan.length);
  let mark = text.indexOf(KEY_MARK, 0, 'latin1');
  while (mark >= 0) {
    const begin = beginOfKey(text, mark);
    const body = mark + KEY_MARK.length;
    mark = text.indexOf(KEY_MARK, body, 'latin1');
    if (begin < 0) continue;
    const next = mark < 0 ? -1 : beginOfKey(text, mark);
    const limit = next >= 0 ? next : mark >= 0 ? mark : text.length;
    let end = body;
    while (end < limit && isKeyByte(text[end] ?? 0)) end++;
    if (end === mark) end += KEY_MARK.length;
    scan.add(begin, end, 'SECRET', 'unmistakable');
  }
}

/** Where the line with the mark begins a key; -1 when it ends one. */
function beginOfKey(text: Buffer, mark: number): number {
  const window = Math.max(0, mark - KEY_BEGIN.length - MAX_ALGORITHM);
  const at = text.subarray(window, mark).lastIndexOf(KEY_BEGIN, undefined, 'latin1');
  return at < 0 ? -1 : window + at;
}

/** Base64, white space, hyphens, the escapes `\n` of keys inside JSON, and the header lines of old PEM. */
function isKeyByte(byte: number): boolean {
  if (byte === 43 || byte === 47 || byte === 61 || byte === 10 || byte === 13 || byte === 92 || byte === 32)
    return true;
  return ((CLASS[byte] ?? 0) & (DIGIT | LETTER)) !== 0 || byte === 45 || byte === 58 || byte === 44;
}

/** Names after which a value is a secret; the last word counts, so that `DB_PASSWORD` and `clientSecret` are found. */
const SECRET_NAMES = new Set([
  'password',
  'passwd',
  'pwd',
  'passphrase',
  'passwort',
  'contraseña',
  'secret',
  'secretkey',
  'apikey',
  'accesskey',

  'secretaccesskey',
  'accesstoken',
  'authtoken',
  'refreshtoken',
  'clientsecret',
  'privatekey',
  'apitoken',
  'bearertoken',
  'signingkey',
  'encryptionkey',
  'apisecret',
  'consumersecret',
  'accountkey',
  'authorization',
  'sharedaccesskey',
]);
const MAX_NAME = 40;
const MAX_SECRET = 256;

/** `password = "..."`, `"api_key": "..."`, `--token=...`: the name to the left of the sign, the value to the right. */
function findAssignment(scan: Scan, at: number): void {
  const name = nameBefore(scan.bytes, at);
  if (name === '' || !isSecretName(name)) return;
  const { bytes } = scan;
  let start = at + 1;
  while (bytes[start] === 32 && start - at < 4) start++;
  // `Authorization: Bearer ...`: the scheme stays.
  const scheme = /^["']?(?:Bearer|Basic|Token) /i.exec(bytes.toString('latin1', start, start + 8));
  if (scheme) start += scheme[0].length;
  const quote = bytes[start];
  const isQuoted = quote === 34 || quote === 39 || quote === 96;
  if (isQuoted) start++;
  let end = start;
  while (end < scan.length && end - start < MAX_SECRET && isValueByte(bytes[end] ?? 0, isQuoted ? quote : 0)) end++;
  if (isQuoted ? bytes[end] !== quote : false) return;
  while (!isQuoted && end > start && ',.;:)'.includes(String.fromCharCode(bytes[end - 1] ?? 0))) end--;
  if (looksSecret(bytes.toString('latin1', start, end), isQuoted)) scan.add(start, end, 'SECRET', 'unmistakable');
}

function isValueByte(byte: number, quote: number): boolean {
  if (byte <= 32 || byte === quote) return false;
  return quote !== 0 || !(byte === 34 || byte === 39 || byte === 96 || byte === 38 || byte === 60 || byte === 62);
}

/** Ends of the names: a look at three bytes spares reading the word in front of nearly every colon. */
const NAME_ENDS = new Set([...SECRET_NAMES].map((name) => endOf(Buffer.from(name, 'latin1'), name.length)));

function endOf(bytes: Buffer, end: number): number {
  return lower(bytes[end - 1]) | (lower(bytes[end - 2]) << 8) | (lower(bytes[end - 3]) << 16);
}

function lower(byte = 0): number {
  return byte | 0x20;
}

/** The name in front of a sign, perhaps with a quote between; empty when it cannot be that of a secret. */
function nameBefore(bytes: Buffer, at: number): string {
  let end = at;
  while (end > 0 && at - end < 3 && (bytes[end - 1] === 32 || bytes[end - 1] === 34 || bytes[end - 1] === 39)) end--;
  if (end < 3 || !NAME_ENDS.has(endOf(bytes, end))) return '';
  let start = end;
  while (
    start > 0 &&
    end - start < MAX_NAME &&
    (classAt(bytes, start - 1) & (LETTER | DIGIT) || isNameSign(bytes[start - 1]))
  )
    start--;
  return bytes.toString('latin1', start, end);
}

const isNameSign = (byte: number | undefined): boolean => byte === 95 || byte === 45;

function isSecretName(name: string): boolean {
  const words = name
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[_-]/);
  return [1, 2, 3].some((count) => SECRET_NAMES.has(words.slice(-count).join('')));
}

/** Letters and digits mixed, and nothing of an expression, a type or a placeholder. */
function looksSecret(value: string, isQuoted: boolean): boolean {
  if (value.length < (isQuoted ? 6 : 8)) return false;
  if (!/\d/.test(value) || !/[A-Za-z]/.test(value)) return false;
  if (/[(){}[\]<>]|^\$|\$\{|^%|\.\.\.|\*\*|xxx|^process\.|^env\.|^os\./i.test(value)) return false;
  if (
    /^(?:my|your|some|the|a|test|example|change|insert|dummy|fake|secret|password|pass|passwd|user|foo|bar)/i.test(
      value,
    )
  )
    return false;
  if (/^[A-Z][A-Z0-9_]{1,255}$/.test(value) && value.includes('_')) return false; // the name of a variable
  return isQuoted || !/^[a-z]{1,64}\.[a-z0-9_.]{1,255}$/i.test(value);
}

/** User name and password of a URL, without which it stays readable: `postgres://[URL_CREDENTIALS]@host`. */
function findUrlCredentials(scan: Scan, at: number): void {
  const { bytes } = scan;
  if (bytes[at + 1] !== 47 || bytes[at + 2] !== 47 || !isAlphanumericAt(bytes, at - 1)) return;
  const start = at + 3;
  let colon = -1;
  for (let i = start; i < scan.length && i - start < MAX_SECRET; i++) {
    const byte = bytes[i] ?? 0;
    if (byte === 58 && colon < 0) colon = i;
    else if (byte === 64) {
      if (colon >= 0 && isCredential(bytes.toString('latin1', start, i)))
        scan.add(start, i, 'URL_CREDENTIALS', 'unmistakable');
      return;
    } else if (byte <= 32 || '/?#"\'<>()[]`{}'.includes(String.fromCharCode(byte))) return;
  }
}

const PLACEHOLDER =
  /^(?:pass|password|passwd|pwd|pw|secret|mypassword|mysecret|postgres|root|admin|guest|user|test|example|changeme|token|xxx|[*]+|[$%<{].{0,250}|(?:your|my).{0,250}|redis|mysql|mongo|rabbitmq)$/i;

/** Examples say `user:password@` and `app:app@`; hiding them would only make documentation unreadable. */
function isCredential(userInfo: string): boolean {
  const colon = userInfo.indexOf(':');
  const password = userInfo.slice(colon + 1);
  return password.length >= 4 && password !== userInfo.slice(0, colon) && !PLACEHOLDER.test(password);
}

export const secret: Recogniser = {
  entity: 'SECRET',
  detectors: [
    { trigger: 'word', find: findToken },
    { trigger: 'text', find: findPrivateKeys },
    { trigger: '=', find: findAssignment },
    { trigger: ':', find: findAssignment },
  ],
};

export const urlCredentials: Recogniser = {
  entity: 'URL_CREDENTIALS',
  detectors: [{ trigger: ':', find: findUrlCredentials }],
};

/** Every address of a page, for a policy that asks for them by name. */
function findUrl(scan: Scan, at: number): void {
  const { bytes } = scan;
  if (bytes[at + 1] !== 47 || bytes[at + 2] !== 47) return;
  let start = at;
  while (start > 0 && at - start < 12 && classAt(bytes, start - 1) & LETTER) start--;
  if (!/^(?:https?|ftps?|wss?)$/i.test(bytes.toString('latin1', start, at))) return;
  let end = at + 3;
  while (end < scan.length && (bytes[end] ?? 0) > 32 && !'"\'<>`'.includes(String.fromCharCode(bytes[end] ?? 0))) end++;
  while (end > at && '.,;:!?)]}'.includes(String.fromCharCode(bytes[end - 1] ?? 0))) end--;
  if (end > at + 3) scan.add(start, end, 'URL', 'form');
}

export const url: Recogniser = { entity: 'URL', isOptIn: true, detectors: [{ trigger: ':', find: findUrl }] };
