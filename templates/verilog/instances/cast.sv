  netfold_cast #(
      .LANES({{ lanes }}),
      .FROM_BITS({{ from_bits }}),
      .FROM_SIGNED({{ from_signed }}),
      .TO_BITS({{ to_bits }})
  ) {{ instance }} (
      .d({{ from }}),
      .q({{ to }})
  );
