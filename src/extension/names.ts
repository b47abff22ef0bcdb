/** The names that package.json and the code share; test/unit/extension/manifest.test.ts holds them together. */
export const commands = {
  /** Explorer (checkpoint, ravl.yaml), editor title, CodeLens, palette: the target is a Uri, the active ravl.yaml, or asked for. */
  analyze: 'ravl.analyze',
  mitigate: 'ravl.mitigate',
  fineTune: 'ravl.fineTune',
  plan: 'ravl.plan',
  inspect: 'ravl.inspect',
  evaluate: 'ravl.evaluate',
  createConfig: 'ravl.createConfig',
  /** With a run (a row of the Runs view, or { folder }), or asked for. */
  openFindings: 'ravl.openFindings',
  openRun: 'ravl.openRun',
  compareRuns: 'ravl.compareRuns',
  exportReport: 'ravl.exportReport',
  cancelRun: 'ravl.cancelRun',
  finishRun: 'ravl.finishRun',
  resumeRun: 'ravl.resumeRun',
  revealRun: 'ravl.revealRun',
  deleteRun: 'ravl.deleteRun',
  refreshRuns: 'ravl.refreshRuns',
  showRegions: 'ravl.showRegions',
  doctor: 'ravl.doctor',
  setUpGpu: 'ravl.setUpGpu',
  openSample: 'ravl.openSample',
  showLog: 'ravl.showLog',
} as const;

export const views = { container: 'ravl', runs: 'ravl.runs' } as const;

export const webviews = { findings: 'ravl.findings', image: 'ravl.image', comparison: 'ravl.comparison', training: 'ravl.training' } as const;

export const contextKeys = {
  /** An image of an analyzed data set is the active editor. */
  imageAnalyzed: 'ravl.imageAnalyzed',
  /** Something runs or waits. */
  busy: 'ravl.busy',
  /** There is a ravl.yaml in the workspace. */
  hasConfig: 'ravl.hasConfig',
  /** Paths of the folders that hold a checkpoint: menus cannot look inside. */
  checkpointFolders: 'ravl.checkpointFolders',
} as const;

export const settings = {
  nodePath: 'ravl.nodePath',
  device: 'ravl.device',
  memoryBudget: 'ravl.memoryBudget',
  cacheSize: 'ravl.cacheSize',
  problems: 'ravl.problems',
  parallelRuns: 'ravl.parallelRuns',
} as const;

export const taskType = 'ravl';
export const configLanguageGlob = '**/{ravl.yaml,*.ravl.yaml}';
export const walkthrough = 'ravl.start';
/** Read-only documents that the extension makes: inspections, plans, evaluations. */
export const documentScheme = 'ravl';
