  netfold_reduce_tree #(
      .N({{ n }}),
      .BITS({{ bits }}),
      .SIGNED(1),
      .OUT_BITS({{ bits }})
  ) u_sum{{ lane }} (
      .clk(clk),
      .operands({{ operands }}),
      .result({{ result }})
  );
