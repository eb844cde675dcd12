  netfold_multiply #(
      .A_BITS({{ a_bits }}),
      .A_SIGNED({{ a_signed }}),
      .B_BITS({{ b_bits }}),
      .B_SIGNED({{ b_signed }}),
      .DSP({{ dsp }}),
      .OUT_BITS({{ out_bits }})
  ) u_lane{{ lane }} (
      .clk(clk),
      .a({{ a }}),
      .b({{ b }}),
      .p({{ p }})
  );
