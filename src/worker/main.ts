/** The process entry for the editor: wiring only. */
export {};
