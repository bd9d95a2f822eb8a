// Handler factory of every plugin that has a handler, by directive. Worker.
import type { HandlerFactory } from '../chain/plugin.ts';

// Options are checked where they are made (setup) and cross threads as plain data, so the table cannot know their types.
// biome-ignore format: one line a plugin
export const HANDLERS: Readonly<Record<string, HandlerFactory<never>>> = {
};
