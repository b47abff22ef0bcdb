export function activate(): void {
  // Nothing yet.
}
