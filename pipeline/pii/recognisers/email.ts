import { CLASS, classAt, DIGIT, isAlphanumericAt, LETTER, LOCAL } from '../characters.ts';
import type { Recogniser, Scan } from '../recogniser.ts';

/** RFC 5321 4.5.3.1: octets of the local part, and of a domain. They bound how far the scanner looks. */
const MAX_LOCAL = 64;
const MAX_DOMAIN = 255;
const AT = 64;
const DOT = 46;
const HYPHEN = 45;
const SLASH = 47;
const COLON = 58;

/** End of the host name that begins at `from`, its last label made of letters only (or an IDN); `from` when there is none. */
export function hostEnd(bytes: Buffer, from: number, length: number): number {
  const limit = Math.min(length, from + MAX_DOMAIN);
  let labelStart = from;
  let end = from;
  let at = from;
  for (; at <= limit; at++) {
    const isInside = at < limit && (isAlphanumericAt(bytes, at) || (bytes[at] === HYPHEN && at > labelStart));
    if (isInside) continue;
    if (at > labelStart && labelStart > from && isTopLevel(bytes, labelStart, at)) end = at;
    if (at < limit && bytes[at] === DOT && at > labelStart) labelStart = at + 1;
    else break;
  }
  return end;
}

/** `icon@2x.png`, `getty@tty1.service`: file and unit names, none of them a top-level domain. */
const FILE_ENDINGS = new Set(
  'png jpg jpeg gif svg webp ico pdf js ts jsx tsx mjs cjs json yaml yml toml css scss html htm txt map lock tgz gz whl service timer socket target mount'.split(
    ' ',
  ),
);

/** Letters only, two or more; `xn--` names have digits too. */
function isTopLevel(bytes: Buffer, from: number, to: number): boolean {
  if (to - from < 2 || to - from > 24) return false;
  if (bytes[from] === 120 && bytes[from + 1] === 110 && bytes[from + 2] === HYPHEN) return true;
  for (let at = from; at < to; at++) if ((classAt(bytes, at) & LETTER) === 0) return false;
  return !FILE_ENDINGS.has(bytes.toString('latin1', from, to).toLowerCase());
}

function findEmail(scan: Scan, at: number): void {
  const { bytes } = scan;
  const end = hostEnd(bytes, at + 1, scan.length);
  if (end === at + 1) return;
  let start = at;
  while (start > 0 && at - start < MAX_LOCAL && (CLASS[bytes[start - 1] ?? 0] ?? 0) & LOCAL) start--;
  // What precedes an address in URLs, code and markup is legal in a local part, but is hardly ever meant as one.
  for (let i = at - 1; i >= start; i--) {
    if ("/=?&'`{|}*#$!^~%".includes(String.fromCharCode(bytes[i] ?? 0)) && !isApostrophe(bytes, i)) {
      start = i + 1;
      break;
    }
  }
  while (start < at && !(classAt(bytes, start) & (DIGIT | LETTER)) && bytes[start] !== 95 && bytes[start] !== 43)
    start++;
  if (isUserInfo(bytes, start) || isRemote(scan, start, at, end)) return;
  if (start === at || bytes[at - 1] === DOT || bytes[start - 1] === AT) return;
  scan.add(start, end, 'EMAIL_ADDRESS', 'unmistakable');
}

/** `o'brien@`: a quotation mark has no letter in front of it. */
const isApostrophe = (bytes: Buffer, at: number): boolean => bytes[at] === 39 && isAlphanumericAt(bytes, at - 1);

/** `redis://user:password@host` is a URL; its secrets are URL_CREDENTIALS. */
function isUserInfo(bytes: Buffer, start: number): boolean {
  for (let i = start - 1; i > 1 && start - i < MAX_LOCAL; i--) {
    if (bytes[i] === SLASH) return bytes[i - 1] === SLASH && bytes[i - 2] === COLON;
    if ((bytes[i] ?? 0) <= 32) return false;
  }
  return false;
}

/** `git@github.com:owner/repository`: a place, not a person. */
const isRemote = (scan: Scan, start: number, at: number, end: number): boolean =>
  at - start === 3 && scan.bytes.toString('latin1', start, at) === 'git' && scan.bytes[end] === COLON;

export const email: Recogniser = {
  entity: 'EMAIL_ADDRESS',
  detectors: [{ trigger: '@', find: findEmail }],
};
