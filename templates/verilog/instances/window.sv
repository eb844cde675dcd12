  netfold_window_reduce #(
      .TAPS({{ taps }}),
      .LANES({{ lanes }}),
      .BITS({{ bits }}),
      .SIGNED({{ signed }}),
      .MAX({{ max }}),
      .OUT_BITS({{ result_bits }})
  ) u_reduce (
      .clk(clk),
      .d(in0_data),
      .q(result)
  );
