/** The columns that are named as such columns usually are; case, blanks, hyphens and underscores do not count. */
export function guessColumns(names: readonly string[]): Partial<Record<Role, string>> {
  const folded = names.map((name) => name.toLowerCase().replaceAll(/[\s_-]/g, ''));
  const taken = new Set<number>();
  const guess: Partial<Record<Role, string>> = {};
  for (const role of Object.keys(usualNames) as Role[]) {
    const usual = usualNames[role];
    const exact = usual.map((name) => folded.indexOf(name));
    const containing = role === 'boxes' ? [] : [folded.findIndex((name) => name.includes(usual[0]))];
    const index = [...exact, ...containing].find((candidate) => candidate >= 0 && !taken.has(candidate));
    if (index === undefined) continue;
    taken.add(index);
    guess[role] = names[index]!;
  }
  return guess;
}

/** Usual names of each column, the likeliest first. */
const usualNames = {
  image: ['image', 'imagepath', 'imagefile', 'img', 'imgpath', 'filepath', 'filename', 'file', 'path', 'photo', 'picture', 'imageid'],
  label: ['label', 'class', 'classname', 'category', 'target', 'y', 'labelname', 'classlabel'],
  caption: ['caption', 'text', 'title', 'description', 'sentence', 'captions'],
  boxes: ['boxes', 'bboxes', 'regions'],
} as const;

type Role = keyof typeof usualNames;
