{{ rom.declaration }}  wire [{{ bits - 1 }}:0] {{ name }}_x;
  wire [{{ group_bits - 1 }}:0] {{ name }}_group;
  wire [{{ step }}:0] {{ name }}_found;
  netfold_threshold_step #(
      .BITS({{ bits }}),
      .STEP({{ step }}),
      .GROUPS({{ groups }}),
      .REGISTERED({{ registered }}),
      .BLOCK({{ block }}),
      {{ rom_parameters }}
  ) u_{{ name }} (
      .clk(clk),
      .x({{ x }}),
      .group({{ group }}),
      .found({{ found }}),
      .x_out({{ name }}_x),
      .group_out({{ name }}_group),
      .found_out({{ name }}_found)
  );
