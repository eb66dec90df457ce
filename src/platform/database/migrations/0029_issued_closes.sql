-- Finalized by us, the final lines not compared yet: a draft's quantities may stand still until it is final.
alter table closes drop constraint closes_state_check, add constraint closes_state_check check (state in ('found', 'claimed',
  'collected', 'rescanned', 'settled', 'pushed', 'compared', 'annotated', 'issued', 'held', 'released', 'overtaken', 'finalized',
  'finalized_without_us', 'deleted', 'voided', 'left_alone'));
