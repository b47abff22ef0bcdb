// The licences of everything that is packaged and was written by others.
import { readFile, readdir } from 'node:fs/promises';
import { join, sep } from 'node:path';

const licenceFile = /^(licen[cs]e|notice|copying|copyright)/i;
const rule = '-'.repeat(100);

/**
 * The text of ThirdPartyNotices.txt: name, version, licence and licence files of each package, by name.
 * @param {string} root folder with node_modules
 * @param {readonly string[]} bundled files that went into a bundle, relative to `root`
 * @param {readonly string[]} folders packages that are packaged as they are
 */
export async function thirdPartyNotices(root, bundled, folders) {
  const all = new Set(folders);
  for (const file of bundled) {
    const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file.split(sep).join('/'))?.[0];
    if (folder) all.add(join(root, folder));
  }
  const notices = new Map();
  for (const folder of all) {
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
    notices.set(`${manifest.name} ${manifest.version}`, await notice(folder, manifest));
  }
  const sorted = [...notices].sort(([a], [b]) => (a < b ? -1 : 1));
  return ['RaVL contains the following packages.', ...sorted.map(([title, text]) => `${rule}\n${title}\n${text}`)].join('\n\n') + '\n';
}

async function notice(folder, { license, homepage, author }) {
  // Collections of binaries name the licences of what they contain in their README.
  const wanted = (name) => licenceFile.test(name) || (name === 'README.md' && license?.includes('LGPL'));
  const names = (await readdir(folder)).filter(wanted).sort();
  const texts = await Promise.all(names.map(async (name) => (await readFile(join(folder, name), 'utf8')).trim()));
  const by = typeof author === 'string' ? author : author?.name;
  return [`Licence: ${license ?? 'see below'}${homepage ? `\n${homepage}` : ''}${by ? `\nBy ${by}` : ''}`, ...texts].join('\n\n');
}
