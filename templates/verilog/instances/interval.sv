  wire fire;
  netfold_interval #(
      .LATENCY({{ latency }}),
      .INTERVAL({{ interval }}),
      .INPUTS({{ inputs }}),
      .OUTPUTS({{ outputs }})
  ) u_stage (
      .clk(clk),
      .rst(rst),
      .in_valid({{ "{" }}{% for i in 0..inputs %}in{{ inputs - 1 - i }}_valid{% if !loop.last %}, {% endif %}{% endfor %}}),
      .in_take({{ "{" }}{% for i in 0..inputs %}in{{ inputs - 1 - i }}_take{% if !loop.last %}, {% endif %}{% endfor %}}),
      .out_space({{ "{" }}{% for i in 0..outputs %}out{{ outputs - 1 - i }}_space{% if !loop.last %}, {% endif %}{% endfor %}}),
      .out_reserve({{ "{" }}{% for i in 0..outputs %}out{{ outputs - 1 - i }}_reserve{% if !loop.last %}, {% endif %}{% endfor %}}),
      .out_put({{ "{" }}{% for i in 0..outputs %}out{{ outputs - 1 - i }}_put{% if !loop.last %}, {% endif %}{% endfor %}}),
      .fire(fire)
  );
