  netfold_mul_add #(
      .UNIT({{ unit }}),
      .X_BITS({{ x_bits }}),
      .MUL_BITS({{ mul_bits }}),
      .ADD_BITS({{ add_bits }}),
      .SUM_BITS({{ sum_bits }})
  ) {{ instance }} (
      .clk(clk),
      .x({{ x }}),
      .mul({{ mul }}),
      .add({{ add }}),
      .sum({{ sum }})
  );
