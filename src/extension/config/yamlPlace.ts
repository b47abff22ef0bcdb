/**
 * Where a position of a ravl.yaml is: at which key, or at whose value. It is told from the lines and their indentation, never
 * from a parsed document, so that it works while a line is half typed.
 */
export type Place = KeyPlace | ValuePlace;

interface Token {
  /** Columns of the token on its line; both are the position itself where nothing is written yet. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Inside { … } or [ … ]. */
  readonly flow: boolean;
}

export interface KeyPlace extends Token {
  readonly kind: 'key';
  /** Path of the mapping that the key is, or would be, in. */
  readonly path: readonly string[];
  /** A colon follows already. */
  readonly colon: boolean;
}

export interface ValuePlace extends Token {
  readonly kind: 'value';
  /** Path of the key whose value it is. */
  readonly path: readonly string[];
  /** One entry of the value, which is a list. */
  readonly entry: boolean;
}

/** Lines and columns count from 0. Undefined in comments, between words, in the middle of long texts, and where nothing fits. */
export function placeAt(lines: readonly string[], line: number, character: number): Place | undefined {
  const text = lines[line];
  if (text === undefined || character > text.length || text.length > longest) return undefined;
  const flow = flowAt(lines, line, character);
  return flow === null ? blockPlace(lines, line, character) : flow;
}

interface Entry {
  readonly indent: number;
  /** A list's entry. */
  readonly dash: boolean;
  readonly key?: string;
  readonly keyEnd: number;
  /** Columns of what stands behind the colon or dash, without a comment; the same twice where nothing does. */
  readonly start: number;
  readonly end: number;
}

/** No line of a config is longer, and what it costs to look at one stays small. */
const longest = 10_000;

/** The key of a line of a block, and where its value is; undefined for an empty line and a comment. */
function entryOf(text: string): Entry | undefined {
  if (text.length > longest) return undefined;
  const indent = text.search(/\S/);
  const end = text.slice(0, commentStart(text)).trimEnd().length;
  if (indent < 0 || end <= indent) return undefined;
  const content = text.slice(indent, end);
  const dash = /^-(\s+|$)/.exec(content);
  if (dash) return { indent, dash: true, keyEnd: indent, start: Math.min(end, indent + dash[0].length), end };
  const key = /^("[^"]*"|'[^']*'|[^\s'"{}[\],:][^:]*?)\s*:(\s+|$)/.exec(content);
  if (!key) return { indent, dash: false, keyEnd: indent, start: indent, end };
  const start = Math.min(end, indent + key[0].length);
  return { indent, dash: false, key: unquoted(key[1]!), keyEnd: indent + key[1]!.length, start, end };
}

function blockPlace(lines: readonly string[], line: number, character: number): Place | undefined {
  const text = lines[line]!;
  if (character > commentStart(text)) return undefined;
  const entry = entryOf(text);
  if (!entry) {
    const path = parents(lines, line, character);
    return path && { kind: 'key', path, start: character, end: character, text: '', flow: false, colon: false };
  }
  if (character < entry.indent) return undefined;
  const path = parents(lines, line, entry.dash ? entry.indent + 1 : entry.indent);
  if (!path) return undefined;
  const value = (of: readonly string[], list: boolean): ValuePlace | undefined => {
    if (entry.start < entry.end && character < entry.start) return undefined;
    // At the end of a line that breaks off behind its colon or dash, the value begins where one types.
    const [start, end] = entry.start === entry.end ? [character, character] : [entry.start, Math.max(entry.end, character)];
    return { kind: 'value', path: of, start, end, text: text.slice(start, end), flow: false, entry: list };
  };
  if (entry.dash) return character > entry.indent + 1 ? value(path, true) : undefined;
  if (entry.key === undefined) {
    const word = text.slice(entry.indent, entry.end);
    if (!/^[\w-]+$/.test(word) || character > entry.end) return undefined;
    return { kind: 'key', path, start: entry.indent, end: entry.end, text: word, flow: false, colon: false };
  }
  if (character <= entry.keyEnd) return { kind: 'key', path, start: entry.indent, end: entry.keyEnd, text: entry.key, flow: false, colon: true };
  return text[character - 1] === ':' || /^[{[]/.test(text.slice(entry.start)) ? undefined : value([...path, entry.key], false);
}

/** The keys that a line of this indentation lies under; undefined where it only goes on with a value above it. */
function parents(lines: readonly string[], line: number, indent: number): string[] | undefined {
  const path: string[] = [];
  let limit = indent;
  for (let i = line - 1; i >= 0 && limit > 0; i--) {
    const entry = entryOf(lines[i]!);
    if (!entry || entry.indent >= limit) continue;
    if (entry.dash) {
      // A list's entry may go on in the next line.
      if (entry.indent < limit - 1) return undefined;
      continue;
    }
    if (entry.key === undefined) continue;
    if (!/^([&!]\S+)?$/.test(lines[i]!.slice(entry.start, entry.end))) return undefined;
    path.unshift(entry.key);
    limit = entry.indent;
  }
  return path;
}

interface Frame {
  readonly open: string;
  key: string | undefined;
  /** The text since the last mark, and the column where it begins. */
  token: string;
  start: number;
}

/** The place inside a flow collection; null outside of any, undefined where nothing can be written. */
function flowAt(lines: readonly string[], line: number, character: number): Place | undefined | null {
  let top = line;
  while (top > 0 && !/^[^\s#]/.test(lines[top]!)) top--;
  for (let first = top; first <= line; first++) {
    const entry = entryOf(lines[first]!);
    if (!entry || !/^[{[]/.test(lines[first]!.slice(entry.start, entry.end)) || (first === line && character <= entry.start)) continue;
    const frames = openFrames(lines, first, entry, line, character);
    if (frames === undefined) return undefined;
    if (frames.length === 0) continue;
    const above = parents(lines, first, entry.dash ? entry.indent + 1 : entry.indent);
    if (!above) return undefined;
    const path = [...above, ...(entry.key === undefined ? [] : [entry.key])];
    return flowPlace(frames, path, lines[line]!, character);
  }
  return null;
}

/** The brackets that are open at the position, outermost first; undefined in a comment. */
function openFrames(lines: readonly string[], first: number, entry: Entry, line: number, character: number): Frame[] | undefined {
  const frames: Frame[] = [];
  let quote = '';
  for (let i = first; i <= line; i++) {
    const text = lines[i]!;
    // What stands no further right than the key begins something new: the bracket above was never closed.
    const indent = text.search(/\S/);
    if (i > first && indent >= 0 && indent <= entry.indent && !/[}\]]/.test(text[indent]!)) return [];
    const end = i === line ? character : text.length;
    const comment = commentStart(text);
    if (i === line && character > comment) return undefined;
    for (let at = i === first ? entry.start : 0; at < Math.min(end, comment); at++) {
      const c = text[at]!;
      const frame = frames.at(-1);
      const fresh = frame === undefined || frame.token.trim() === '';
      if (quote) {
        frame!.token += c;
        if (c === quote) quote = '';
      } else if ((c === '{' || c === '[') && fresh) frames.push({ open: c, key: undefined, token: '', start: at + 1 });
      else if (!frame) return [];
      else if (c === '}' || c === ']') {
        frames.pop();
        if (frames.length === 0) return i === line ? undefined : [];
        frames.at(-1)!.token = ' ';
      } else if (c === ',') Object.assign(frame, { key: undefined, token: '', start: at + 1 });
      else if (c === ':' && frame.open === '{' && frame.key === undefined && /^[\s,}\]]?$/.test(text.slice(at + 1, at + 2))) {
        Object.assign(frame, { key: unquoted(frame.token.trim()), token: '', start: at + 1 });
      } else {
        if (fresh && (c === '"' || c === "'")) quote = c;
        if (fresh) Object.assign(frame, { start: at, token: '' });
        frame.token += c;
      }
    }
    const frame = frames.at(-1);
    if (i < line && frame?.token.trim() === '') frame.start = 0;
  }
  return frames;
}

function flowPlace(frames: readonly Frame[], path: readonly string[], text: string, character: number): Place | undefined {
  const { open, key, token, start: from } = frames.at(-1)!;
  const inside = [...path, ...frames.flatMap((frame) => frame.key ?? [])];
  // Only what is on the line can be replaced.
  const started = token.trim() !== '';
  const start = started ? Math.min(from, character) : character;
  const rest = /^("[^"]*"?|'[^']*'?|[^,{}[\]:#]|:(?=[^\s,}\]]))*/.exec(text.slice(start))![0].trimEnd();
  const end = Math.max(character, start + rest.length);
  const found = { start, end, text: text.slice(start, end), flow: true };
  if (open === '[' || key !== undefined) return text[character - 1] === ':' ? undefined : { kind: 'value', path: inside, entry: open === '[', ...found };
  return { kind: 'key', path: inside, ...found, text: unquoted(found.text), colon: /^\s*:/.test(text.slice(end)) };
}

/** Where a comment begins: a # at the start or behind a blank, outside quotation marks; the line's length where there is none. */
function commentStart(text: string): number {
  let quote = '';
  let solid = '';
  for (let i = 0; i < text.length; i++) {
    const c = text[i]!;
    const apart = i === 0 || /[\s[{,]/.test(text[i - 1]!);
    if (quote) {
      if (c === '\\' && quote === '"') i++;
      else if (c === quote) quote = '';
    } else if (c === '#' && (i === 0 || /\s/.test(text[i - 1]!))) return i;
    else if ((c === '"' || c === "'") && apart && (solid === '' || ':-,[{'.includes(solid))) quote = c;
    if (/\S/.test(c)) solid = c;
  }
  return text.length;
}

const unquoted = (text: string): string => (/^(["']).*\1$/.test(text) ? text.slice(1, -1) : text);
