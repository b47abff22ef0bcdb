// Writes how late the event loop of this extension host is, and its memory, into .probe.json of the workspace; starts anew
// where .probe-reset is there.
const { existsSync, rmSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const vscode = require('vscode');

exports.activate = () => {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri.fsPath;
  if (!folder) return;
  const resolution = 5;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  setInterval(() => {
    if (existsSync(join(folder, '.probe-reset'))) {
      rmSync(join(folder, '.probe-reset'));
      delay.reset();
    }
    // The histogram holds the time between two beats of a timer; what it is late by is the delay.
    const late = (nanoseconds) => nanoseconds / 1e6 - resolution;
    writeFileSync(join(folder, '.probe.json'), JSON.stringify({ p50: late(delay.percentile(50)), p99: late(delay.percentile(99)), max: late(delay.max), rss: process.memoryUsage().rss }));
  }, 250);
};
