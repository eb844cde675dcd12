  // Input position of every output beat.
{{ rom.declaration }}  wire [{{ rom.width - 1 }}:0] source;
  wire source_next;
  netfold_sequence_rom #(
      {{ rom.parameters }},
      .BLOCK({{ rom_block }})
  ) u_source (
      .clk(clk),
      .rst(rst),
      .next(source_next),
      .data(source)
  );
  netfold_reorder #(
      .WORDS({{ words }}),
      .WIDTH({{ width }}),
      .BLOCK({{ block }}),
      .ULTRA({{ ultra }})
  ) u_reorder (
      .clk(clk),
      .rst(rst),
      .in_valid(in0_valid),
      .in_take(in0_take),
      .in_data(in0_data),
      .out_space(out0_space),
      .out_reserve(out0_reserve),
      .out_put(out0_put),
      .out_data({{ out }}),
      .source(source),
      .source_next(source_next)
  );
