// Handler factory of every plugin that has a handler, by directive. Worker.
import type { HandlerFactory } from '../chain/plugin.ts';
import { createKubernetesHandler } from './kubernetes/handler.ts';
import { createAutopathHandler } from './autopath/handler.ts';
import { createK8sExternalHandler } from './k8s_external/handler.ts';
import { createTransferHandler } from './transfer/handler.ts';
import { createCacheHandler } from './cache/handler.ts';
import { createForwardHandler } from './forward/handler.ts';
import { createErrorsHandler } from './errors/handler.ts';
import { createLogHandler } from './log/handler.ts';
import { createPrometheusHandler } from './prometheus/handler.ts';
import { createLoopHandler } from './loop/handler.ts';
import { createLoadbalanceHandler } from './loadbalance/handler.ts';
import { createHostsHandler } from './hosts/handler.ts';
import { createBufsizeHandler } from './bufsize/handler.ts';
import { createWhoamiHandler } from './whoami/handler.ts';
import { createChaosHandler } from './chaos/handler.ts';
import { createNsidHandler } from './nsid/handler.ts';
import { createAnyHandler } from './any/handler.ts';
import { createMinimalHandler } from './minimal/handler.ts';
import { createLocalHandler } from './local/handler.ts';
import { createCancelHandler } from './cancel/handler.ts';
import { createHeaderHandler } from './header/handler.ts';
import { createAclHandler } from './acl/handler.ts';
import { createMetadataHandler } from './metadata/handler.ts';
import { createFileHandler } from './file/handler.ts';
import { createAutoHandler } from './auto/handler.ts';
import { createErraticHandler } from './erratic/handler.ts';
import { createTemplateHandler } from './template/handler.ts';
import { createRewriteHandler } from './rewrite/handler.ts';
import { createTsigHandler } from './tsig/handler.ts';
import { createSecondaryHandler } from './secondary/handler.ts';
import { createDnssecHandler } from './dnssec/handler.ts';
import { createViewHandler } from './view/handler.ts';
import { createEtcdHandler } from './etcd/handler.ts';
import { createIpFamiliesHandler } from './ip_families/handler.ts';
import { createDns64Handler } from './dns64/handler.ts';

// Options are checked where they are made (setup) and cross threads as plain data, so the table cannot know their types.
// biome-ignore format: one line a plugin
export const HANDLERS: Readonly<Record<string, HandlerFactory<never>>> = {
  kubernetes: createKubernetesHandler,
  autopath: createAutopathHandler,
  k8s_external: createK8sExternalHandler,
  transfer: createTransferHandler,
  cache: createCacheHandler,
  forward: createForwardHandler,
  errors: createErrorsHandler,
  log: createLogHandler,
  prometheus: createPrometheusHandler,
  loop: createLoopHandler,
  loadbalance: createLoadbalanceHandler,
  hosts: createHostsHandler,
  bufsize: createBufsizeHandler,
  whoami: createWhoamiHandler,
  chaos: createChaosHandler,
  nsid: createNsidHandler,
  any: createAnyHandler,
  minimal: createMinimalHandler,
  local: createLocalHandler,
  cancel: createCancelHandler,
  header: createHeaderHandler,
  acl: createAclHandler,
  metadata: createMetadataHandler,
  file: createFileHandler,
  auto: createAutoHandler,
  erratic: createErraticHandler,
  template: createTemplateHandler,
  rewrite: createRewriteHandler,
  tsig: createTsigHandler,
  secondary: createSecondaryHandler,
  dnssec: createDnssecHandler,
  view: createViewHandler,
  etcd: createEtcdHandler,
  ip_families: createIpFamiliesHandler,
  dns64: createDns64Handler,
};
