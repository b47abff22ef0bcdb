// Measures the extension host it runs in, and writes what it sees into probe.json beside the workspace, out of sight of
// whatever watches that. Starts anew where probe-reset is there; starts RaVL by the clock where probe-activate is.
const { existsSync, renameSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const vscode = require('vscode');

const resolution = 5;

exports.activate = () => {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  if (!folder) return;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  let peak = 0;
  let activation = null;
  const asked = (name) => {
    const file = join(folder, '..', name);
    if (!existsSync(file)) return false;
    rmSync(file);
    return true;
  };
  setInterval(async () => {
    const { rss } = process.memoryUsage();
    peak = Math.max(peak, rss);
    if (asked('probe-reset')) {
      delay.reset();
      peak = rss;
    }
    if (asked('probe-activate')) activation = await timeToActivate(vscode.extensions.getExtension('ravl.ravl'));
    // The histogram holds the time between two beats of a timer; what it is late by is the delay.
    const late = (nanoseconds) => nanoseconds / 1e6 - resolution;
    const seen = { pid: process.pid, beats: delay.count, p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max), rss, peak, activation };
    const file = join(folder, '..', 'probe.json');
    writeFileSync(`${file}.new`, JSON.stringify(seen));
    renameSync(`${file}.new`, file);
  }, 250);
};

/** Milliseconds; null where something else has started it before. */
async function timeToActivate(extension) {
  if (extension.isActive) return null;
  const start = performance.now();
  await extension.activate();
  return performance.now() - start;
}
