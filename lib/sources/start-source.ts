// Starts the source of each kind. Control thread.
import type { KubernetesSourceOptions } from '../chain/kubernetes-source.ts';
import type { SourceSpec } from '../chain/plugin.ts';
import { type EtcdSourceOptions, startEtcdSource } from './etcd/source.ts';
import { type HostsSourceOptions, startHostsSource } from './hosts-file/source.ts';
import { type FileSourceOptions, startFileSource } from './zone-file/file-source.ts';
import { type FolderSourceOptions, startFolderSource } from './zone-file/folder-source.ts';
import { type SignSourceOptions, startSignSource } from './zone-signer/source.ts';
import { type SecondarySourceOptions, startSecondarySource } from './zone-transfer/source.ts';
import { startKubernetes } from './kubernetes/start.ts';
import type { Source, SourceEnv } from './source.ts';

/** @throws ConfigError when the source cannot be built */
export async function startSource(spec: SourceSpec, env: SourceEnv): Promise<Source> {
  switch (spec.kind) {
    case 'kubernetes':
      return startKubernetes(spec.options as KubernetesSourceOptions, env);
    case 'hosts':
      return completeAtOnce(startHostsSource(spec.options as HostsSourceOptions, env));
    case 'file':
      return startFileSource(spec.options as FileSourceOptions, env);
    case 'auto':
      return startFolderSource(spec.options as FolderSourceOptions, env);
    case 'etcd':
      return startEtcdSource(spec.options as EtcdSourceOptions, env);
    case 'sign':
      return startSignSource(spec.options as SignSourceOptions, env);
    case 'secondary':
      return startSecondarySource(spec.options as SecondarySourceOptions, env);
    case 'tree':
      return completeAtOnce(() => undefined);
  }
}

/** A source whose tree is complete when its start returns. */
function completeAtOnce(stop: () => void): Source {
  return { ready: Promise.resolve(), isReady: () => true, startupTimeoutMs: 0, waitingFor: () => '', stop };
}
