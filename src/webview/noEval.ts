import { z } from 'zod';

/** Schemas that are made after this check without building code from text, which the webview's policy forbids. Import it first. */
z.config({ jitless: true });
