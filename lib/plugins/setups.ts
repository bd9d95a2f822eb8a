// Setup function of every plugin that is built, by directive. Control thread. With handlers.ts and order.ts the only
// files that see all plugins; a house test keeps the three and the folders equal.
import type { Setup } from '../chain/plugin.ts';
import { setupKubernetes } from './kubernetes/setup.ts';
import { setupAutopath } from './autopath/setup.ts';
import { setupK8sExternal } from './k8s_external/setup.ts';
import { setupTransfer } from './transfer/setup.ts';
import { setupCache } from './cache/setup.ts';
import { setupForward } from './forward/setup.ts';
import { setupErrors } from './errors/setup.ts';
import { setupLog } from './log/setup.ts';
import { setupPrometheus } from './prometheus/setup.ts';
import { setupHealth } from './health/setup.ts';
import { setupReady } from './ready/setup.ts';
import { setupReload } from './reload/setup.ts';
import { setupBind } from './bind/setup.ts';
import { setupLoop } from './loop/setup.ts';
import { setupLoadbalance } from './loadbalance/setup.ts';
import { setupHosts } from './hosts/setup.ts';
import { setupRoot } from './root/setup.ts';
import { setupDebug } from './debug/setup.ts';
import { setupTimeouts } from './timeouts/setup.ts';
import { setupMultisocket } from './multisocket/setup.ts';
import { setupBufsize } from './bufsize/setup.ts';
import { setupWhoami } from './whoami/setup.ts';
import { setupChaos } from './chaos/setup.ts';
import { setupNsid } from './nsid/setup.ts';
import { setupAny } from './any/setup.ts';
import { setupMinimal } from './minimal/setup.ts';
import { setupLocal } from './local/setup.ts';
import { setupCancel } from './cancel/setup.ts';
import { setupHeader } from './header/setup.ts';
import { setupAcl } from './acl/setup.ts';
import { setupMetadata } from './metadata/setup.ts';
import { setupFile } from './file/setup.ts';
import { setupAuto } from './auto/setup.ts';
import { setupErratic } from './erratic/setup.ts';
import { setupTls } from './tls/setup.ts';
import { setupTemplate } from './template/setup.ts';
import { setupHttps } from './https/setup.ts';
import { setupGrpcServer } from './grpc_server/setup.ts';
import { setupRewrite } from './rewrite/setup.ts';
import { setupPprof } from './pprof/setup.ts';
import { setupTsig } from './tsig/setup.ts';
import { setupSign } from './sign/setup.ts';
import { setupSecondary } from './secondary/setup.ts';
import { setupDnssec } from './dnssec/setup.ts';
import { setupView } from './view/setup.ts';
import { setupEtcd } from './etcd/setup.ts';
import { setupIpFamilies } from './ip_families/setup.ts';
import { setupDns64 } from './dns64/setup.ts';

export const SETUPS: Readonly<Record<string, Setup<unknown>>> = {
  kubernetes: setupKubernetes,
  autopath: setupAutopath,
  k8s_external: setupK8sExternal,
  transfer: setupTransfer,
  cache: setupCache,
  forward: setupForward,
  errors: setupErrors,
  log: setupLog,
  prometheus: setupPrometheus,
  health: setupHealth,
  ready: setupReady,
  reload: setupReload,
  bind: setupBind,
  loop: setupLoop,
  loadbalance: setupLoadbalance,
  hosts: setupHosts,
  root: setupRoot,
  debug: setupDebug,
  timeouts: setupTimeouts,
  multisocket: setupMultisocket,
  bufsize: setupBufsize,
  whoami: setupWhoami,
  chaos: setupChaos,
  nsid: setupNsid,
  any: setupAny,
  minimal: setupMinimal,
  local: setupLocal,
  cancel: setupCancel,
  header: setupHeader,
  acl: setupAcl,
  metadata: setupMetadata,
  file: setupFile,
  auto: setupAuto,
  erratic: setupErratic,
  tls: setupTls,
  template: setupTemplate,
  https: setupHttps,
  grpc_server: setupGrpcServer,
  rewrite: setupRewrite,
  pprof: setupPprof,
  tsig: setupTsig,
  secondary: setupSecondary,
  dnssec: setupDnssec,
  sign: setupSign,
  view: setupView,
  etcd: setupEtcd,
  ip_families: setupIpFamilies,
  dns64: setupDns64,
};
