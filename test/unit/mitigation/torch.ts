import { execFileSync } from 'node:child_process';

/** Debian's packages are for its own Python, which need not be the first on the PATH. */
const python = ['python3', '/usr/bin/python3'].find((command) => {
  try {
    execFileSync(command, ['-c', 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
});

/** Whether Python with PyTorch is here. Says so where it is not: what is compared with it goes untested then. */
export function hasTorch(): boolean {
  if (python === undefined) console.warn('Skipped: comparisons with PyTorch need python3 with torch (Debian: apt-get install python3-torch).');
  return python !== undefined;
}

/** Runs a Python script that knows `torch` and `given`, and returns what it puts into `result`. */
export function torch(script: string, given: unknown): unknown {
  const whole = `import json, sys, torch\ngiven = json.load(sys.stdin)\n${script}\njson.dump(result, sys.stdout)`;
  return JSON.parse(execFileSync(python!, ['-c', whole], { input: JSON.stringify(given), encoding: 'utf8', stdio: ['pipe', 'pipe', 'pipe'], maxBuffer: 1e9 }));
}
