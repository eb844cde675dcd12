  netfold_concat #(
      .INPUTS({{ inputs }}),
      .WIDTH({{ width }}),
      .LARGEST({{ largest }}),
      .PARTS({{ parts }})
  ) u_concat (
      .clk(clk),
      .rst(rst),
      .in_valid({{ "{" }}{% for i in 0..inputs %}in{{ inputs - 1 - i }}_valid{% if !loop.last %}, {% endif %}{% endfor %}}),
      .in_take({{ "{" }}{% for i in 0..inputs %}in{{ inputs - 1 - i }}_take{% if !loop.last %}, {% endif %}{% endfor %}}),
      .in_data({{ "{" }}{% for i in 0..inputs %}wide{{ inputs - 1 - i }}{% if !loop.last %}, {% endif %}{% endfor %}}),
      .out_space(out0_space),
      .out_reserve(out0_reserve),
      .out_put(out0_put),
      .out_data(out0_data)
  );
