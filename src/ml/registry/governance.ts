/**
 * Approvals, model cards and the policy that asks for them: pure decisions over the registry's state.
 * A policy is about one model; without one every promotion is allowed, as in MLflow.
 */
import type { JsonObject } from '../../lib/json.js';
import { CARD_STATUSES, type CardStatus, emptyFields } from './card.js';
import { type Change, invalid, RegistryError, required } from './lookup.js';
import {
  type Approval,
  APPROVALS,
  DEFAULT_POLICY,
  type ModelPolicy,
  type ModelVersion,
  type RegistryState,
} from './model-version.js';

export function policyOf(state: RegistryState, name: string): ModelPolicy {
  return state.policies.get(name) ?? DEFAULT_POLICY;
}

/** Throws PromotionRefused naming everything that the policy misses. */
export function refuseUnpromotable(
  state: RegistryState,
  version: Pick<ModelVersion, 'name' | 'version' | 'card'> & { readonly approval: Approval | null },
): void {
  const policy = policyOf(state, version.name);
  const missing: string[] = [];
  const approval = version.approval ?? 'PendingManualApproval';
  if (policy.requireApproval && approval !== 'Approved') {
    missing.push(`its approval is ${approval}, and the policy asks for Approved`);
  }
  if (policy.requireCard && version.card?.status !== 'Approved') {
    missing.push('the policy asks for a model card with the status Approved');
  }
  if (missing.length === 0) return;
  throw new RegistryError(
    'PromotionRefused',
    `${version.name} ${version.version} may not be promoted: ${missing.join('; ')}.`,
  );
}

export function approvalChange(
  state: RegistryState,
  name: string,
  version: string,
  approval: Approval,
): Change<ModelVersion> {
  if (!APPROVALS.includes(approval)) {
    throw invalid(`approval: "${String(approval)}" must be one of ${APPROVALS.join(', ')}.`);
  }
  const current = required(state, name, { version });
  const result = (s: RegistryState): ModelVersion => required(s, name, { version });
  if (current.approval === approval && approval !== 'PendingManualApproval') {
    return { entry: null, result };
  }
  const data = { name, version, approval, from: current.approval };
  return { entry: { what: 'ApprovalChanged', data }, result };
}

export function cardChange(
  state: RegistryState,
  name: string,
  version: string,
  card: { readonly status: CardStatus; readonly content: JsonObject },
): Change<ModelVersion> {
  required(state, name, { version });
  if (!CARD_STATUSES.includes(card.status)) {
    throw invalid(`status: "${String(card.status)}" must be one of ${CARD_STATUSES.join(', ')}.`);
  }
  const empty = emptyFields(card.content);
  if (card.status === 'Approved' && empty.length > 0) {
    throw invalid(
      `The card of ${name} ${version} cannot be Approved: ${empty.join(', ')} ${empty.length === 1 ? 'is' : 'are'} empty.`,
    );
  }
  return {
    entry: {
      what: 'CardWritten',
      data: { name, version, status: card.status, content: card.content },
    },
    result: (s) => required(s, name, { version }),
  };
}

export function policyChange(
  state: RegistryState,
  name: string,
  policy: ModelPolicy,
): Change<ModelPolicy> {
  const { requireApproval, requireCard, guardedAliases } = policy;
  if (guardedAliases.length > 20) throw invalid('guardedAliases: at most 20 are allowed.');
  const before = policyOf(state, name);
  const result = (s: RegistryState): ModelPolicy => policyOf(s, name);
  const text = (value: ModelPolicy): string =>
    JSON.stringify([value.requireApproval, value.requireCard, [...value.guardedAliases].sort()]);
  if (state.policies.has(name) && text(before) === text(policy)) return { entry: null, result };
  const data = {
    name,
    policy: { requireApproval, requireCard, guardedAliases: [...guardedAliases].sort() },
  };
  return { entry: { what: 'PolicySet', data }, result };
}
