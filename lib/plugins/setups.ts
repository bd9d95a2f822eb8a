// Setup function of every plugin that is built, by directive. Control thread. With handlers.ts and order.ts the only
// files that see all plugins; a house test keeps the three and the folders equal.
import type { Setup } from '../chain/plugin.ts';

export const SETUPS: Readonly<Record<string, Setup<unknown>>> = {
};
